// Stands for the parts of the auth client that only a server runs (see build.mjs): its settings from
// the environment, and the class of its error answers.
export const env = {}
export const APIError = Error

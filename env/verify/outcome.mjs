// What a check says. `saw` is the evidence; `fix`, for what is not in order, one line that names the
// cause and what to change. `more` may replace the check's `did`.

const outcome = (status) => (saw, fix, more = {}) => ({ status, saw, ...(fix ? { fix } : {}), ...more });

export const pass = (saw, more = {}) => ({ status: 'pass', saw, ...more });
export const fail = outcome('fail');
export const warn = outcome('warn');
// Could not be tried: never taken for a pass.
export const skip = (saw, more = {}) => ({ status: 'skip', saw, ...more });
// Does not concern this deployment, or was not asked for: not required then.
export const notAsked = (saw) => skip(saw, { required: false });

// Thrown inside a check: this is its outcome.
export class Ended extends Error {
  constructor(result) {
    super(result.saw);
    this.result = result;
  }
}
export const end = (result) => { throw new Ended(result); };

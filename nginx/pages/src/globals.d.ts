// Names that the build fills in.
declare const LANGUAGE_FILES: Record<string, string>
declare const PRECACHE: string[]
declare const VERSION: string

// Not in the library of this TypeScript version: the browser's guard for addresses of scripts.
interface Window {
  trustedTypes?: {
    createPolicy(
      name: string,
      rules: { createScriptURL(url: string): string },
    ): { createScriptURL(url: string): string }
  }
}

/** How this command was started, so that the commands it suggests work as they are printed. */
export interface Invocation {
  /** What stands for `dekuper`. */
  readonly program: string;
  /** Options to repeat, with a space before each. */
  readonly options: string;
}

/** Options that decide which network and whose account a command is about. */
const REPEATED = {
  network: "--network",
  keyFile: "--key-file",
  keystore: "--keystore",
  passwordFile: "--password-file",
  as: "--as",
  ageKey: "--age-key",
  relay: "--relay",
  maxRelayFee: "--max-relay-fee",
} as const;

export type RepeatedOptions = { readonly [Name in keyof typeof REPEATED]?: string | undefined };

export function invocationOf(env: NodeJS.ProcessEnv, options: RepeatedOptions): Invocation {
  const repeated = Object.entries(REPEATED).flatMap(([name, flag]) => {
    const value = options[name as keyof typeof REPEATED];
    return value === undefined ? [] : [` ${flag} ${quoted(value)}`];
  });
  return { program: programOf(env), options: repeated.join("") };
}

/** npm tells in the environment which script it runs (https://docs.npmjs.com/cli/v11/using-npm/scripts). */
function programOf({ npm_command: command, npm_lifecycle_event: script }: NodeJS.ProcessEnv): string {
  if (command === "exec") return "npx dekuper";
  return script === undefined ? "dekuper" : "npm run -s dekuper --";
}

/** As a shell reads it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

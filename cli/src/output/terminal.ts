import { styleText } from "node:util";
import type { Invocation } from "../invocation.ts";

type Style = Parameters<typeof styleText>[0];

/** Where a command reads and writes: the process's own streams, or a test's. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
}

/** Results go to stdout, everything else to stderr; colours only where a terminal shows them (NO_COLOR is respected). */
export class Terminal {
  readonly streams: Streams;
  readonly json: boolean;
  private readonly invocation: Invocation;

  constructor(streams: Streams, json: boolean, invocation: Invocation = { program: "dekuper", options: "" }) {
    this.streams = streams;
    this.json = json;
    this.invocation = invocation;
  }

  /** A line of the result. */
  line(text = ""): void {
    this.streams.stdout.write(`${text}\n`);
  }

  /** A line beside the result; not with --json. */
  note(text: string): void {
    if (!this.json) this.streams.stderr.write(`${text}\n`);
  }

  /** Paints for stdout. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.streams.stdout });
  }

  /** Paints for stderr. */
  paintNote(style: Style, text: string): string {
    return styleText(style, text, { stream: this.streams.stderr });
  }

  dim(text: string): string {
    return this.paint("gray", text);
  }

  bold(text: string): string {
    return this.paint("bold", text);
  }

  /** What to do next: `dekuper` commands with the real id, printed as they can be typed here. */
  next(...commands: readonly string[]): void {
    if (commands.length === 0) return;
    this.line();
    for (const [index, command] of commands.entries()) {
      const typed = this.typed(command) + this.invocation.options;
      this.line(`${this.dim(index === 0 ? "next:" : "     ")} ${typed}`);
    }
  }

  /** A text that names commands, with those as they can be typed here. */
  typed(text: string): string {
    return text.replace(/(^|`)dekuper /g, `$1${this.invocation.program} `);
  }

  /** How wide the terminal is; undefined where stdout is none: nothing is cut there. */
  get columns(): number | undefined {
    return this.streams.stdout.isTTY === true ? this.streams.stdout.columns : undefined;
  }

  /** Whether a person can be asked. */
  get isInteractive(): boolean {
    return !this.json && this.streams.stdin.isTTY === true && this.streams.stderr.isTTY === true;
  }
}

import { styleText } from "node:util";

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

  constructor(streams: Streams, json: boolean) {
    this.streams = streams;
    this.json = json;
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

  /** What to do next, with the real id. */
  next(...commands: readonly string[]): void {
    if (commands.length === 0) return;
    this.line();
    for (const [index, command] of commands.entries()) {
      this.line(`${this.dim(index === 0 ? "next:" : "     ")} ${command}`);
    }
  }

  /** Whether a person can be asked. */
  get isInteractive(): boolean {
    return !this.json && this.streams.stdin.isTTY === true && this.streams.stderr.isTTY === true;
  }
}

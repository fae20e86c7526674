/** A common environment in one word: what a task file need not say again. */
export interface Template {
  readonly description: string;
  /** An image name that the network file resolves; undefined: the task file must name one. */
  readonly image?: string;
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const templateNames = ["container", "batch", "pytorch"] as const;
export type TemplateName = (typeof templateNames)[number];

export const templates: Readonly<Record<TemplateName, Template>> = {
  container: { description: "Any image with any command.", env: {} },
  batch: { description: "A shell script in a small image.", image: "busybox", env: {} },
  pytorch: {
    description: "One pod with PyTorch; runs /input/train.py.",
    image: "torch",
    command: ["python3", "/input/train.py"],
    env: { PYTHONUNBUFFERED: "1", HOME: "/tmp" },
  },
};

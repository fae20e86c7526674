import { MAX_LEASES, type TaskFile, type TemplateName, taskFileSchema } from "@dekuper/protocol";

/** What the form holds: text as typed, in the units of task.yaml. */
export interface TaskForm {
  readonly template: TemplateName;
  readonly name: string;
  readonly image: string;
  /** The shell command, or for pytorch the program that becomes /input/train.py. */
  readonly script: string;
  readonly env: string;
  readonly gpu: string;
  readonly cpu: string;
  readonly memory: string;
  readonly storage: string;
  readonly duration: string;
  readonly isolation: string;
  /** How many run it as one gang, each with the resources above. */
  readonly nodes: string;
  /** How many of the nodes must have the same result, each running the whole task by itself; empty: they run as one gang. */
  readonly agree: string;
  /** How much of the duration is reserved for at first; empty: all of it. */
  readonly fund: string;
  readonly budget: string;
  readonly rate: string;
  readonly maxOutput: string;
  /** Whether any node may read it; a private task is sealed for the nodes that get it. */
  readonly isPublic: boolean;
}

export type FormProblems = Partial<Record<keyof TaskForm, string>>;

const BATCH = `echo "Started on $(uname -m)"
for step in 1 2 3; do
  echo "step $step"
  sleep 1
done
echo '{"steps": 3, "accuracy": 0.98}' > /output/metrics.json
`;

const PYTORCH = `import json, torch

torch.manual_seed(0)
x = torch.linspace(-1, 1, 256).unsqueeze(1)
y = 3 * x + 0.5 + 0.05 * torch.randn_like(x)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)

for step in range(200):
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f}")

torch.save(model.state_dict(), "/output/model.pt")
json.dump({"loss": loss.item()}, open("/output/metrics.json", "w"))
`;

const COMMON = {
  image: "",
  env: "",
  storage: "2Gi",
  isolation: "container",
  nodes: "1",
  agree: "",
  fund: "",
  rate: "",
  maxOutput: "1Gi",
  isPublic: false,
};

/** What a template starts from. */
export const starts: Readonly<Record<TemplateName, TaskForm>> = {
  batch: {
    ...COMMON,
    template: "batch",
    name: "first-batch",
    script: BATCH,
    gpu: "0",
    cpu: "1",
    memory: "256Mi",
    duration: "10m",
    budget: "5",
  },
  pytorch: {
    ...COMMON,
    template: "pytorch",
    name: "first-training",
    script: PYTORCH,
    gpu: "0",
    cpu: "1",
    memory: "2Gi",
    duration: "30m",
    budget: "20",
  },
  container: {
    ...COMMON,
    template: "container",
    name: "my-container",
    script: "",
    gpu: "1x",
    cpu: "4",
    memory: "16Gi",
    duration: "1h",
    budget: "40",
  },
};

/** Where the form's fields stand in a task file. */
const FIELD_OF: Readonly<Record<string, keyof TaskForm>> = {
  name: "name",
  image: "image",
  command: "script",
  env: "env",
  "resources.gpu": "gpu",
  "resources.cpu": "cpu",
  "resources.memory": "memory",
  "resources.storage": "storage",
  "resources.duration": "duration",
  "resources.isolation": "isolation",
  nodes: "nodes",
  "verification.quorum.of": "nodes",
  "verification.quorum.agree": "agree",
  fund: "fund",
  budget: "budget",
  rate: "rate",
  "output.maxSize": "maxOutput",
};

/** The form as the task file that the command line would read. */
export function readForm(form: TaskForm): { file?: TaskFile; problems: FormProblems } {
  const optional = (text: string) => (text.trim() === "" ? undefined : text.trim());
  const parsed = taskFileSchema.safeParse({
    name: form.name.trim(),
    public: form.isPublic,
    template: form.template,
    image: form.template === "container" ? optional(form.image) : undefined,
    command: form.template === "pytorch" ? undefined : optional(form.script),
    env: form.env.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()])),
    resources: {
      gpu: optional(form.gpu),
      cpu: Number(form.cpu),
      memory: optional(form.memory),
      storage: optional(form.storage),
      duration: form.duration.trim().replaceAll(" ", ""),
      isolation: form.isolation,
    },
    ...nodesOf(form),
    fund: optional(form.fund.replaceAll(" ", "")),
    output: { maxSize: optional(form.maxOutput) },
    budget: optional(form.budget),
    rate: optional(form.rate),
  });
  const problems: FormProblems = parsed.success
    ? {}
    : Object.fromEntries(
        parsed.error.issues.flatMap((issue) => {
          const depth = issue.path[0] === "env" ? 1 : 3;
          const field = FIELD_OF[issue.path.slice(0, depth).join(".")];
          return field === undefined ? [] : [[field, sentence(issue.message)]];
        }),
      );
  if (form.template === "container" && form.image.trim() === "") {
    problems.image = "Name an image by digest, or one that this network knows.";
  }
  if (form.agree.trim() !== "") Object.assign(problems, quorumProblems(form));
  if (form.script.trim() === "") problems.script = "Write what is to run.";
  if (form.env.split("\n").some((line) => line.trim() !== "" && !line.includes("="))) {
    problems.env = "Write NAME=value on each line.";
  }
  return parsed.success && Object.keys(problems).length === 0
    ? { file: parsed.data, problems }
    : { problems };
}

/** A gang's members share a task; a quorum's replicas repeat it. */
function nodesOf({ nodes, agree }: TaskForm): Pick<TaskFile, "nodes" | "verification"> {
  if (agree.trim() === "") return { nodes: Number(nodes) };
  return { verification: { quorum: { agree: Number(agree), of: Number(nodes) } } };
}

function quorumProblems(form: TaskForm): FormProblems {
  const [agree, of] = [Number(form.agree), Number(form.nodes)];
  if (!Number.isInteger(of) || of < 2 || of > MAX_LEASES)
    return { nodes: `Write a whole number from 2 to ${MAX_LEASES}: their results are compared.` };
  if (Number.isInteger(agree) && 2 * agree > of && agree <= of) return {};
  return { agree: `Write more than half of ${of}, and at most ${of}.` };
}

/** `expected a duration such as 6h` -> `Write a duration such as 6h.` */
function sentence(message: string): string {
  const text = message.replace(/^Invalid input: /, "").replace(/^expected /, "Write ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

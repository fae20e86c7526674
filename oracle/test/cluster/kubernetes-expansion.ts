/** `$(NAME)` and `$$` as kubelets expand them in commands and variables (k8s.io/kubernetes/third_party/forked/golang/expansion). */
export function expand(input: string, variables: Readonly<Record<string, string>>): string {
  let output = "";
  for (let at = 0; at < input.length; at++) {
    const next = input[at + 1];
    if (input[at] !== "$" || next === undefined) {
      output += input[at];
    } else if (next === "$") {
      output += "$";
      at++;
    } else if (next === "(") {
      const close = input.indexOf(")", at + 2);
      if (close < 0) {
        output += "$(";
        at++;
      } else {
        const name = input.slice(at + 2, close);
        output += variables[name] ?? `$(${name})`;
        at = close;
      }
    } else {
      output += `$${next}`;
      at++;
    }
  }
  return output;
}

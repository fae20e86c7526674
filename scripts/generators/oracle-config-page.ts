import { type OracleSetting, oracleSettings } from "../../oracle/src/config/settings.ts";
import { type GeneratedFile, pageHeader, table } from "./generated-file.ts";

/** `docs/oracle-config.md`: every setting of the oracle, from its schema. */
export const oracleConfigPage: GeneratedFile = {
  path: "docs/oracle-config.md",
  render: () => `${pageHeader("The oracle's configuration", "oracle/src/config/schema.ts")}
\`dekuper oracle run --config FILE\` reads YAML or JSON; \`dekuper node init\` writes such a file with every setting explained. A variable of the
environment wins over the file; lists and groups are written in it as YAML, such as
\`DEKUPER_ORACLE_LISTEN='["/ip4/0.0.0.0/tcp/4001"]'\` or \`DEKUPER_ORACLE_GAS='{dailyCap: "1000"}'\`. Paths are relative to the file. A key that is
not in this table is refused. A *secret* setting is never logged or printed.

${table(["Key", "Type", "Default", "What it is", "Environment"], oracleSettings().map(row))}
`,
};

function row(setting: OracleSetting): string[] {
  const { key, type, required, description, secret, environment } = setting;
  return [
    `\`${key}\``,
    type,
    required ? "needed" : setting.default === undefined ? "-" : `\`${setting.default}\``,
    `${description}${secret ? " *Secret.*" : ""}`,
    key.includes(".") ? `in \`${environment}\`` : `\`${environment}\``,
  ];
}

export type { AttemptObservation, ClusterCapacity, ClusterDriver } from "./cluster/driver.ts";
export { createKubernetesDriver } from "./cluster/kubernetes-driver.ts";
export { loadConfig, networkOf, parseConfig } from "./config/load.ts";
export { type OracleConfig, type OracleConfigInput, oracleConfigSchema } from "./config/schema.ts";
export { Secret } from "./config/secret.ts";
export { type OracleHandle, type OracleOptions, runOracle } from "./daemon/oracle.ts";
export { type DoctorCheck, type DoctorReport, runDoctor } from "./doctor/doctor.ts";
export {
  encryptKeystore,
  LIGHT_SCRYPT,
  readKeystore,
  STANDARD_SCRYPT,
  writeKeystore,
} from "./keystore/keystore.ts";

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterAddresses } from "./addresses.ts";
import { runCommand } from "./command.ts";

/** The first address of the service range: what `kubernetes.default` resolves to. */
export const SERVICE_CIDR = "10.96.0.0/16";
const API_SERVICE_ADDRESS = "10.96.0.1";

/** Kubernetes' well-known users, by the file name of their certificates. */
export type Identity = "admin" | "controller-manager" | "scheduler" | "kubelet" | "dns";

interface Certificate {
  file: string;
  subject: string;
  alternativeNames?: string[];
}

function certificates(nodeName: string, addresses: ClusterAddresses): Certificate[] {
  const names = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  return [
    {
      file: "apiserver",
      subject: "/CN=kube-apiserver",
      alternativeNames: [
        ...names.map((name) => `DNS:${name}`),
        `IP:${addresses.node}`,
        "IP:127.0.0.1",
        `IP:${API_SERVICE_ADDRESS}`,
      ],
    },
    { file: "admin", subject: "/O=system:masters/CN=admin" },
    { file: "controller-manager", subject: "/CN=system:kube-controller-manager" },
    { file: "scheduler", subject: "/CN=system:kube-scheduler" },
    { file: "dns", subject: "/CN=dekuper:dns" },
    {
      file: "kubelet",
      subject: `/O=system:nodes/CN=system:node:${nodeName}`,
      alternativeNames: [`DNS:${nodeName}`, `IP:${addresses.node}`],
    },
  ];
}

/**
 * Makes what is missing: an authority and service-account key that stay with the state folder, and the certificates,
 * fresh at each start as the addresses may be others.
 */
export async function createPki(dir: string, nodeName: string, addresses: ClusterAddresses): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const at = (file: string): string => join(dir, file);
  if (!existsSync(at("sa.pub"))) {
    const curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"];
    await Promise.all([
      openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        ...curve,
        "-nodes",
        "-days",
        "3650",
        "-subj",
        "/CN=dekuper-ca",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout",
        at("ca.key"),
        "-out",
        at("ca.crt"),
      ),
      openssl("genpkey", "-algorithm", "EC", ...curve, "-out", at("sa.key")),
    ]);
    await openssl("pkey", "-in", at("sa.key"), "-pubout", "-out", at("sa.pub"));
  }
  await Promise.all(certificates(nodeName, addresses).map((certificate) => issue(dir, certificate)));
}

async function issue(dir: string, { file, subject, alternativeNames }: Certificate): Promise<void> {
  const at = (name: string): string => join(dir, name);
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "3650",
    "-CA",
    at("ca.crt"),
    "-CAkey",
    at("ca.key"),
    "-subj",
    subject,
    "-addext",
    "basicConstraints=critical,CA:FALSE",
    "-addext",
    "keyUsage=critical,digitalSignature",
    "-addext",
    "extendedKeyUsage=clientAuth,serverAuth",
    ...(alternativeNames ? ["-addext", `subjectAltName=${alternativeNames.join(",")}`] : []),
    "-keyout",
    at(`${file}.key`),
    "-out",
    at(`${file}.crt`),
  );
}

async function openssl(...args: string[]): Promise<void> {
  await runCommand("openssl", args);
}

/** A kubeconfig that carries its certificates, so that it may be copied anywhere on the machine. */
export function renderKubeconfig(dir: string, cluster: string, identity: Identity, server: string): string {
  const embedded = (file: string): string => readFileSync(join(dir, file)).toString("base64");
  const name = `${identity}@${cluster}`;
  return `apiVersion: v1
kind: Config
clusters:
- name: ${cluster}
  cluster:
    server: ${server}
    certificate-authority-data: ${embedded("ca.crt")}
users:
- name: ${name}
  user:
    client-certificate-data: ${embedded(`${identity}.crt`)}
    client-key-data: ${embedded(`${identity}.key`)}
contexts:
- name: ${name}
  context:
    cluster: ${cluster}
    user: ${name}
current-context: ${name}
`;
}

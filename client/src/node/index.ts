export {
  fetchPublic,
  isPublicAddress,
  type RegistryAnswer,
  type RegistryFetch,
  resolveImage,
} from "@dekuper/protocol/node";
export { createDeliveryFolder, type DeliveryFolder, fileCiphertext } from "./delivery-folder.ts";
export { fileSource, readInputs } from "./inputs.ts";
export { startNodePeer } from "./market-peer.ts";
export { createNodeClientPeer } from "./peer.ts";
export { loadTask, readTaskFile } from "./task-file.ts";

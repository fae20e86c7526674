import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";

/**
 * A fresh key for one replica's output. Its secret half exists only encrypted to `consumer` (an age recipient): the node
 * keeps it back until the vote is over, and needs it for nothing itself.
 */
export async function newReplicaKey(
  consumer: string,
): Promise<{ readonly recipient: string; readonly sealed: Uint8Array }> {
  const identity = await generateX25519Identity();
  const encrypter = new Encrypter();
  encrypter.addRecipient(consumer);
  return { recipient: await identityToRecipient(identity), sealed: await encrypter.encrypt(identity) };
}

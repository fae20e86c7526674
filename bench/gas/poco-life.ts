import type { BytesLike, HDNodeWallet } from "ethers";
import { digest, domainOf, ethers, localMarket, people } from "../../test/contracts/market.ts";
import { gasUsed, type Sent } from "./gas-used.ts";
import type { Steps } from "./lives.ts";
import { deployPoco, type Poco } from "./poco-diamond.ts";

const RESTRICTIONS = ["apprestrict", "datasetrestrict", "workerpoolrestrict", "requesterrestrict"];
const field = (declaration: string) => {
  const [type = "", name = ""] = declaration.split(" ");
  return { type, name };
};
const fields = (text: string) => text.split(",").map(field);
const APP = fields(
  "address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt",
);
const WORKERPOOL = fields(
  "address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt",
);
const REQUEST = fields(
  "address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt",
);
const NONE = ethers.ZeroAddress;
const FUNDS = 1_000_000_000n;
const PRICE = 1_000_000n;
const unrestricted = Object.fromEntries(RESTRICTIONS.map((name) => [name, NONE]));

const { consumer: requester, owner: appOwner, operator: scheduler, stranger: worker } = people;

export interface PocoLives {
  readonly withReveal: Steps;
  /** Allowed where the request asks for a trust of 1: the worker's word is taken. */
  readonly contributeAndFinalize: Steps;
}

/** One task of iExec's PoCo by one worker, both ways; the second of each, for fresh storage as in our own lives. */
export async function measurePoco(folder: string): Promise<PocoLives> {
  const { token } = await localMarket();
  const poco = await deployPoco(folder, await token.getAddress());
  for (const who of [requester, scheduler, worker]) {
    await token.mint(who.address, FUNDS);
    await token.connect(who).approve(await poco.hub.getAddress(), FUNDS);
    await call(poco, who, "deposit", FUNDS);
  }
  const life = await lifeOn(poco);
  await life(true);
  await life(false);
  return { withReveal: await life(true), contributeAndFinalize: await life(false) };
}

function call(poco: Poco, who: HDNodeWallet, name: string, ...args: unknown[]): Sent {
  return poco.hub.connect(who).getFunction(name)(...args) as Sent;
}

/** An app and a workerpool with standing app orders; each life has orders of its own from scheduler and requester. */
async function lifeOn(poco: Poco): Promise<(withReveal: boolean) => Promise<Steps>> {
  const app = [appOwner.address, "app", "DOCKER", "0x00", digest("app"), "0x"];
  const appAddress = await created(poco.apps, "createApp", app);
  const workerpoolAddress = await created(poco.workerpools, "createWorkerpool", [scheduler.address, "pool"]);
  const domain = { ...(await domainOf("iExecODB", await poco.hub.getAddress())), version: "5.0.0" };
  const signed = async (name: string, types: typeof APP, order: object, signer: HDNodeWallet) => ({
    ...order,
    sign: await signer.signTypedData(domain, { [name]: types }, order),
  });
  const common = { volume: 1n, tag: ethers.ZeroHash, ...unrestricted };
  const appOrder = await signed(
    "AppOrder",
    APP,
    pick(APP, { ...common, app: appAddress, appprice: PRICE, volume: 1_000_000n, salt: digest("app order") }),
    appOwner,
  );
  const noDataset = {
    ...common,
    dataset: NONE,
    datasetprice: 0n,
    volume: 0n,
    salt: ethers.ZeroHash,
    sign: "0x",
  };
  let count = 0;

  return async (withReveal) => {
    const salt = digest(`order ${count++}`);
    const offered = { ...common, category: 0n, trust: 1n, salt };
    const offer = { ...offered, workerpool: workerpoolAddress, workerpoolprice: PRICE };
    const workerpoolOrder = await signed("WorkerpoolOrder", WORKERPOOL, pick(WORKERPOOL, offer), scheduler);
    const request = pick(REQUEST, {
      ...offered,
      app: appAddress,
      appmaxprice: PRICE,
      dataset: NONE,
      datasetmaxprice: 0n,
      workerpool: workerpoolAddress,
      workerpoolmaxprice: PRICE,
      requester: requester.address,
      beneficiary: requester.address,
      callback: NONE,
      params: '{"iexec_args":"train"}',
    });
    const requestOrder = await signed("RequestOrder", REQUEST, request, requester);
    const hashed = ethers.TypedDataEncoder.hash(domain, { RequestOrder: REQUEST }, request);
    const dealId = ethers.solidityPackedKeccak256(["bytes32", "uint256"], [hashed, 0n]);
    const taskId = ethers.solidityPackedKeccak256(["bytes32", "uint256"], [dealId, 0n]);
    const matchOrders = call(
      poco,
      requester,
      "matchOrders",
      appOrder,
      noDataset,
      workerpoolOrder,
      requestOrder,
    );
    const before = {
      matchOrders: await gasUsed(matchOrders),
      initialize: await gasUsed(call(poco, scheduler, "initialize", dealId, 0n)),
    };
    return { ...before, ...(withReveal ? await revealed(poco, taskId) : await atOnce(poco, taskId)) };
  };
}

const result = digest("result");

async function revealed(poco: Poco, taskId: string): Promise<Steps> {
  const hash = packed(["bytes32", "bytes32"], [taskId, result]);
  const seal = packed(["address", "bytes32", "bytes32"], [worker.address, taskId, result]);
  const proof = await authorisation(taskId);
  return {
    contribute: await gasUsed(call(poco, worker, "contribute", taskId, hash, seal, NONE, "0x", proof)),
    reveal: await gasUsed(call(poco, worker, "reveal", taskId, result)),
    finalize: await gasUsed(call(poco, scheduler, "finalize", taskId, result, "0x")),
  };
}

async function atOnce(poco: Poco, taskId: string): Promise<Steps> {
  const args = [taskId, result, result, "0x", NONE, "0x", await authorisation(taskId)];
  return { contributeAndFinalize: await gasUsed(call(poco, worker, "contributeAndFinalize", ...args)) };
}

/** The scheduler says that this worker may work on this task. */
async function authorisation(taskId: string): Promise<string> {
  const message = packed(["address", "bytes32", "address"], [worker.address, taskId, NONE]);
  return scheduler.signMessage(ethers.getBytes(message));
}

const packed = (types: string[], values: BytesLike[]) => ethers.solidityPackedKeccak256(types, values);

const pick = (types: typeof APP, values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(types.map(({ name }) => [name, values[name]]));

async function created(registry: Poco["apps"], name: string, args: unknown[]): Promise<string> {
  const create = registry.getFunction(name);
  const address: string = await create.staticCall(...args);
  await gasUsed(create(...args) as Sent);
  return address;
}

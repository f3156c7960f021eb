// What a program does that must not miss an event and must not see one twice,
// with each client: subscribe, then ask for what was missed since the last event
// seen, then listen; and all of it again when the connection breaks.
// Prints `listening` whenever it listens, `event N` for a transfer of N, and with
// viem which filter it polls and what broke it.
import { Contract, WebSocketProvider } from "ethers";
import { createPublicClient, http } from "viem";
import { Web3 } from "web3";
import { rpc, token, ws } from "./story.mjs";

const [client, address] = process.argv.slice(2);
const transfer = "Transfer";

// ethers: contract events over WebSocket.
async function ethers(hear, from) {
  // on() returns before it has asked for the subscription, and a node answers the
  // requests of a connection side by side: what is asked for next must wait.
  let asked;
  const subscribed = new Promise((resolve) => (asked = resolve));
  class Socket extends WebSocketProvider {
    send(method, params) {
      const answer = super.send(method, params);
      if (method === "eth_subscribe") asked(answer);
      return answer;
    }
  }
  const socket = new Socket(ws);
  const broken = new Promise((resolve) => (socket.websocket.onclose = socket.websocket.onerror = resolve));
  const contract = new Contract(address, token.abi, socket);
  const event = (log) => ({ block: log.blockNumber, index: log.index, value: log.args.value });
  const attached = (async () => {
    await contract.on(transfer, (_from, _to, _value, payload) => hear(event(payload.log)));
    await subscribed;
    return (await contract.queryFilter(transfer, from)).map(event);
  })();
  return { past: await orBroken(attached, broken), broken };
}

// viem: filters polled over HTTP. A lost answer to a poll is lost for good, so
// nothing is repeated silently: whatever goes wrong begins anew, even the request
// for a filter, in whose place viem would ask for logs by itself.
async function viem(hear, from) {
  let made, fail;
  const filter = new Promise((resolve) => (made = resolve));
  const broken = new Promise((resolve) => (fail = resolve));
  const transport = (options) => {
    const inner = http(rpc, { retryCount: 0 })(options);
    const request = async (call) => {
      const answer = inner.request(call);
      if (call.method === "eth_newFilter") answer.then(made, fail);
      return answer;
    };
    return { ...inner, request };
  };
  const reader = createPublicClient({ transport, pollingInterval: 20 });
  const event = (log) => ({ block: Number(log.blockNumber), index: log.logIndex, value: log.args.value });
  const watched = { address, abi: token.abi, eventName: transfer };
  const stop = reader.watchContractEvent({ ...watched, onLogs: (logs) => logs.map(event).forEach(hear), onError: fail });
  broken.then((error) => {
    console.log(`broken ${error?.details ?? error}`);
    stop();
  });
  const attached = (async () => {
    console.log(`filter ${await filter}`);
    return (await reader.getContractEvents({ ...watched, fromBlock: BigInt(from) })).map(event);
  })();
  attached.catch(fail);
  return { past: await orBroken(attached, broken), broken };
}

// web3: contract events over WebSocket.
async function web3(hear, from) {
  const provider = new Web3.providers.WebsocketProvider(ws, {}, { autoReconnect: false });
  const broken = new Promise((resolve) => ["disconnect", "error"].forEach((name) => provider.on(name, resolve)));
  const contract = new new Web3(provider).eth.Contract(token.abi, address);
  const event = (log) => ({ block: Number(log.blockNumber), index: Number(log.logIndex), value: log.returnValues.value });
  const attached = (async () => {
    const events = contract.events[transfer]();
    events.on("data", (log) => hear(event(log)));
    events.on("error", () => {});
    await new Promise((resolve) => events.once("connected", resolve));
    return (await contract.getPastEvents(transfer, { fromBlock: from })).map(event);
  })();
  return { past: await orBroken(attached, broken), broken };
}

function orBroken(promise, broken) {
  promise.catch(() => {});
  return Promise.race([promise, broken.then(() => Promise.reject(new Error("broken")))]);
}

// An event is told once: those up to the last one told were told before.
const last = { block: 0, index: -1 };
function tell({ block, index, value }) {
  if (block < last.block || (block === last.block && index <= last.index)) return;
  Object.assign(last, { block, index });
  console.log(`event ${value}`);
}

process.on("unhandledRejection", () => {}); // what was under way when a connection broke
for (;;) {
  let early = []; // heard before the past is known
  try {
    const { past, broken } = await { ethers, viem, web3 }[client]((e) => (early ? early.push(e) : tell(e)), last.block);
    [...past, ...early].forEach(tell);
    early = undefined;
    console.log("listening");
    await broken;
  } catch {}
  await new Promise((resolve) => setTimeout(resolve, 50));
}

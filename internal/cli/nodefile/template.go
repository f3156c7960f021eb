package nodefile

// Template is the file that coco node init writes: every field, its default and
// what it means. A test keeps it complete.
const Template = `# One node of a coco network. Every field is here with its default; what you leave
# out has it too. A field that is not known is refused.
#
#   coco node start   --config node.yaml   found a network, alone at first
#   coco node join    --config node.yaml   join the network of join.peers
#   coco node recover --config node.yaml   continue a network that has ended

# The directory that keeps the ledger, keys, snapshots and indexes. A relative path
# starts at the directory of this file.
data: coco-node

# For clients: Ethereum JSON-RPC over HTTP and WebSocket.
client:
  # Where it listens, HOST:PORT; port 0 takes a free one. 127.0.0.1 serves this
  # machine only; nothing here is encrypted, so put a proxy with TLS in front of any
  # other address.
  listen: 127.0.0.1:8545
  # The address that clients are told, HOST:PORT; it is published in the ledger.
  # Empty: the one above.
  advertise: ""
  # Web origins whose pages may use the node, such as https://app.example; "*" is
  # any.
  origins: []
  # Names under which the node may be addressed, beside IP addresses and localhost;
  # "*" is any.
  hosts: []

# For programs that keep entries of keys and values, over TLS 1.3. Clients have a
# certificate; each reads and writes its own entries only.
keyvalue:
  # Where it listens, HOST:PORT; empty is nowhere.
  listen: ""
  # The file with the certificates (PEM) of the authorities that certify clients. A
  # relative path starts at the directory of this file.
  clients: ""
  # Names and addresses under which clients know this node, beside localhost and the
  # address above. Clients trust the node by DATA/service.pem.
  hosts: []

# For the other nodes: replication, joining and catching up, over TLS 1.3.
peer:
  # Where it listens, HOST:PORT; port 0 takes a free one.
  listen: 127.0.0.1:7545
  # The address under which the other nodes reach this one, HOST:PORT; it is
  # published in the ledger. Empty: the one above, which is right only when the
  # others can reach it.
  advertise: ""

# For operators: /status, /metrics, /livez and /readyz over HTTP. They are on the
# socket DATA/node/operator.sock in any case, and commands are there only.
operations:
  # Where they are served too, HOST:PORT; empty is nowhere.
  listen: ""
  # Names under which they may be addressed, beside IP addresses and localhost.
  hosts: []

# The network to join. Both fields, or neither.
join:
  # Addresses of some of its nodes (their peer.advertise), tried in turn.
  peers: []
  # The file with the service's certificate, service.pem of any of its nodes, which
  # you got by a way that you trust: it is what makes sure that you join the right
  # network. A relative path starts at the directory of this file.
  service: ""

# The pace of consensus, the same on every node. The defaults fit one data centre.
timing:
  # The unit of the two below.
  tick: 50ms
  # Ticks without a word of the primary after which a backup asks for votes; each
  # takes a random number of them from this to twice this. Longer rides out slower
  # networks, shorter notices the end of a primary sooner.
  election: 8
  # Ticks between two signs of life of the primary.
  heartbeat: 1

# A snapshot of the state is taken when both were committed since the last one.
# Starting and joining are faster from a newer one.
snapshot:
  records: 10000
  bytes: 8MiB

# Older states that eth_call and the like can be asked for.
state:
  # Blocks behind the newest; 0 is none.
  blocks: 90000
  # Bytes on disk that they may take, about: what is older is dropped first. 0 is
  # any number.
  bytes: 1GiB

# Whether transactions and logs can be found that are older than the newest blocks:
# the history index takes a third of a backup's processor time and most of its
# disk. on, or off: its files are removed, and made again from the ledger when it is
# on again.
history: on

# What this node gives to nodes that join or catch up, so that they do not slow
# down the network.
transfer:
  # Bytes a second for all of them.
  rate: 64MiB

# Standard error. Payloads and secrets are never logged.
log:
  # debug, info, warn or error.
  level: warn
  # text, or json: one object a line.
  format: text

# Traces of transactions across nodes, for OpenTelemetry.
tracing:
  # A collector of OTLP over HTTP, such as http://127.0.0.1:4318. Empty: nothing is
  # recorded and nothing leaves the node.
  endpoint: ""
  # The part of requests that are traced, 0 to 1; a request that carries a
  # traceparent is traced as that says.
  ratio: 0.01
`

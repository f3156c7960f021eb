package proof

// Fields of claims. The registry only grows: a number is never given another
// meaning. Integers are big-endian without leading zeros (zero is empty),
// addresses 20 bytes.
const (
	FieldEthereumHash      uint64 = 1  // transaction hash, 32 bytes
	FieldEthereumStatus    uint64 = 2  // integer: 1 succeeded, 0 failed
	FieldEthereumFrom      uint64 = 3  // address of the sender
	FieldEthereumTo        uint64 = 4  // address called, empty when a contract is created
	FieldEthereumValue     uint64 = 5  // integer, wei
	FieldEthereumNonce     uint64 = 6  // integer
	FieldEthereumGas       uint64 = 7  // integer, gas used
	FieldEthereumCreated   uint64 = 8  // address of the contract created, empty when none was
	FieldEthereumLogCount  uint64 = 9  // integer
	FieldEthereumLog       uint64 = 10 // RLP [address, [topic, ...], data]; the claim's index is the log's position in the transaction
	FieldEthereumEffective uint64 = 11 // integer, the block height at which the transaction took effect

	FieldKeyvalueOp     uint64 = 32 // integer: 1 put, 2 deleted
	FieldKeyvalueClient uint64 = 33 // SHA-256 of the client's public key (SubjectPublicKeyInfo)
	FieldKeyvalueKey    uint64 = 34
	FieldKeyvalueValue  uint64 = 35 // empty when it was deleted
)

var fieldNames = map[uint64]string{
	FieldEthereumHash:      "ethereum.hash",
	FieldEthereumStatus:    "ethereum.status",
	FieldEthereumFrom:      "ethereum.from",
	FieldEthereumTo:        "ethereum.to",
	FieldEthereumValue:     "ethereum.value",
	FieldEthereumNonce:     "ethereum.nonce",
	FieldEthereumGas:       "ethereum.gas",
	FieldEthereumCreated:   "ethereum.created",
	FieldEthereumLogCount:  "ethereum.logCount",
	FieldEthereumLog:       "ethereum.log",
	FieldEthereumEffective: "ethereum.effectiveHeight",

	FieldKeyvalueOp:     "keyvalue.op",
	FieldKeyvalueClient: "keyvalue.client",
	FieldKeyvalueKey:    "keyvalue.key",
	FieldKeyvalueValue:  "keyvalue.value",
}

// FieldName is the registered name of a field, empty when it has none.
func FieldName(field uint64) string { return fieldNames[field] }

// FieldOf is the field with a registered name.
func FieldOf(name string) (uint64, bool) {
	for field, known := range fieldNames {
		if known == name {
			return field, true
		}
	}
	return 0, false
}

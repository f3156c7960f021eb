package ledgertest

// Contracts in bytes, for what no compiler is needed.
var (
	// maker creates a contract with the init code that it is called with, and returns
	// its address: CALLDATACOPY(0, 0, size) CREATE(0, 0, size) RETURN.
	maker = deploy("365f5f37365f5ff05f5260205ff3")
	// undoer creates one likewise and then reverts.
	undoer = deploy("365f5f37365f5ff0505f5ffd")
	// endless uses up all its gas.
	endless = deploy("5b5f56")
	// counter returns the number in its slot 0 when called with nothing, else stores
	// the word that it is called with.
	counter = deploy("3615600a575f355f55005b5f545f5260205ff3")
	// child is init code of a contract of one byte, STOP; refusing is some that reverts.
	child    = bytes("6001600a5f3960015ff300")
	refusing = bytes("5f5ffd")
)

func bytes(hex string) []byte {
	out := make([]byte, len(hex)/2)
	for i := range out {
		out[i] = digit(hex[2*i])<<4 | digit(hex[2*i+1])
	}
	return out
}

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

// deploy is init code that returns the code: PUSH1 size DUP1 PUSH1 offset PUSH0
// CODECOPY PUSH0 RETURN.
func deploy(hex string) []byte {
	code := bytes(hex)
	return append([]byte{0x60, byte(len(code)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3}, code...)
}

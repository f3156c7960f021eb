package pool

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// COCO_TRANSACTIONTESTS names a directory of transaction tests: TransactionTests
// of ethereum/tests, or transaction_tests of execution-spec-tests.
const transactionTestsVariable = "COCO_TRANSACTIONTESTS"

// verdicts are the forks whose verdicts count, the first of them that a test has:
// the one nearest to the rules here, which are Osaka's from the first block on.
// What older forks say of a test (that its type does not exist yet, that data cost
// more) has no meaning here.
var verdicts = []string{"Osaka", "Prague", "Cancun", "Shanghai", "Paris", "London"}

// otherwise are tests (by file) whose verdict differs here, and why.
var otherwise = map[string]string{
	"GasLimitPriceProductOverflow":          freeGas,
	"GasLimitPriceProductPlusOneOverflow":   freeGas,
	"TransactionWithGasLimitxPriceOverflow": freeGas,
	"maxFeePerGas32BytesValue":              freeGas,
	"TransactionWithGasPriceOverflow":       "prices have 256 bits, not 64, as in geth",
	"DataTestSufficientGas2028":             "Osaka asks for more gas for data (EIP-7623) than the test's forks",
}

const freeGas = "gas is free: what it would cost in all is of no account, and may be any number"

// transactionTest is a transaction and what forks make of it.
type transactionTest struct {
	Bytes  string `json:"txbytes"`
	Result map[string]struct {
		Sender       *common.UnprefixedAddress
		Hash         *common.UnprefixedHash
		Exception    *string
		IntrinsicGas math.HexOrDecimal64
	}
}

// TestTransactionTests runs the fixtures of testdata, always, and those of the
// directory named by COCO_TRANSACTIONTESTS.
func TestTransactionTests(t *testing.T) {
	dirs := []string{filepath.Join("testdata", "transactiontests")}
	if dir := os.Getenv(transactionTestsVariable); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { runTransactionTests(t, dir) })
	}
}

func runTransactionTests(t *testing.T, dir string) {
	var passed, unprotected, failed, older int
	leftOut := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var tests map[string]transactionTest
		if err := json.Unmarshal(data, &tests); err != nil {
			return err
		}
		for name, test := range tests {
			fork := slices.IndexFunc(verdicts, func(f string) bool { _, ok := test.Result[f]; return ok })
			if fork < 0 {
				older++
				continue
			}
			short, err := test.run(verdicts[fork])
			reason, differs := otherwise[strings.TrimSuffix(filepath.Base(path), ".json")]
			switch {
			case differs && err == nil:
				t.Errorf("%s: %s passes, although it is left out: %s", path, name, reason)
			case differs:
				leftOut[reason]++
			case err == nil && short:
				unprotected++
			case err == nil:
				passed++
			default:
				failed++
				t.Errorf("%s: %s: %v", path, name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if passed == 0 {
		t.Fatalf("no transaction test in %s", dir)
	}
	t.Logf("%d passed, %d more but for replay protection (EIP-155), %d failed, %d without a verdict of %s", passed, unprotected, failed, older, strings.Join(verdicts, " or "))
	for reason, n := range leftOut {
		t.Logf("%d left out: %s", n, reason)
	}
}

// run compares admission with a fork's verdict. short says that nothing but
// replay protection is lacking.
func (test *transactionTest) run(fork string) (short bool, err error) {
	want := test.Result[fork]
	raw, err := hexutil.Decode(test.Bytes)
	if err != nil {
		raw = common.FromHex(test.Bytes)
	}
	const mainnet = 1
	tx := &Transaction{Raw: raw, Transaction: ethereum.Transaction{Transaction: new(types.Transaction)}}
	err = NewChecker(mainnet).check(tx)
	if short = errors.Is(err, errUnprotected); short {
		err = test.unprotected(tx, mainnet)
	}
	switch {
	case want.Exception != nil && err == nil:
		return short, errors.New("accepted, want " + *want.Exception)
	case want.Exception != nil:
		return false, nil
	case err != nil:
		return short, err
	case tx.From != common.Address(*want.Sender):
		return short, errors.New("sender " + tx.From.Hex())
	case tx.Hash() != common.Hash(*want.Hash):
		return short, errors.New("hash " + tx.Hash().Hex())
	}
	gas, err := core.IntrinsicGas(tx.Data(), tx.AccessList(), tx.SetCodeAuthorizations(), tx.From, tx.To(), &tx.value, rules)
	if err == nil && gas != uint64(want.IntrinsicGas) {
		err = errors.New("intrinsic gas " + hexutil.EncodeUint64(gas))
	}
	return short, err
}

// unprotected checks what is left of a transaction that is refused because it
// could be sent to another chain as well.
func (test *transactionTest) unprotected(tx *Transaction, chainID uint64) error {
	decoded, err := ethereum.DecodeTransaction(tx.Raw, chainID)
	if err != nil {
		return err
	}
	tx.Transaction, tx.hash = *decoded, decoded.Hash()
	if tx.Nonce()+1 == 0 || tx.To() == nil && len(tx.Data()) > params.MaxInitCodeSize || tx.value.SetFromBig(tx.Value()) {
		return errors.New("the nonce, code or value is too large")
	}
	return tx.checkGas()
}

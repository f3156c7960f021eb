package ethereum

import (
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/sha512"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// DevelopmentMnemonic is the phrase (BIP-39) from which every development
// network's accounts come. Everybody knows it.
const DevelopmentMnemonic = "test test test test test test test test test test test junk"

// DevelopmentAccount is an account whose private key everybody knows. Only
// development networks may fund one.
type DevelopmentAccount struct {
	Address common.Address
	Key     *ecdsa.PrivateKey
}

// DevelopmentAccounts derives the ten accounts of DevelopmentMnemonic at
// m/44'/60'/0'/0/i (BIP-32, BIP-44).
var DevelopmentAccounts = sync.OnceValue(func() []DevelopmentAccount {
	accounts, err := derive(DevelopmentMnemonic, 10)
	if err != nil {
		panic(err) // the phrase is a constant
	}
	return accounts
})

// Create2Deployer creates a contract at an address that its code and a salt
// determine (EIP-1014). It stands at this address on nearly every network, and
// Foundry's scripts take it for granted.
var Create2Deployer = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

// It is there as if its creation, which was signed for every network by nobody's
// key, had been the first transaction.
var (
	create2Signer = common.HexToAddress("0x3fAB184622Dc19b6109349B94811493BF2a45362")
	create2Code   = common.FromHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0" +
		"3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3")
)

// DevelopmentAllocation is 10,000 ether for each development account, and the
// Create2Deployer.
func DevelopmentAllocation() []Allocation {
	balance := new(uint256.Int).Mul(uint256.NewInt(10_000), uint256.NewInt(1e18))
	alloc := []Allocation{
		{Address: create2Signer, Nonce: 1},
		{Address: Create2Deployer, Nonce: 1, Code: create2Code},
	}
	for _, a := range DevelopmentAccounts() {
		alloc = append(alloc, Allocation{Address: a.Address, Balance: *balance})
	}
	return alloc
}

func derive(mnemonic string, count uint32) ([]DevelopmentAccount, error) {
	seed, err := pbkdf2.Key(sha512.New, mnemonic, []byte("mnemonic"), 2048, 64)
	if err != nil {
		return nil, err
	}
	key, err := hdkeychain.NewMaster(seed, &chaincfg.MainNetParams)
	if err != nil {
		return nil, err
	}
	const hardened = hdkeychain.HardenedKeyStart
	for _, child := range []uint32{hardened + 44, hardened + 60, hardened, 0} {
		if key, err = key.Derive(child); err != nil {
			return nil, err
		}
	}
	accounts := make([]DevelopmentAccount, count)
	for i := range count {
		child, err := key.Derive(i)
		if err != nil {
			return nil, err
		}
		private, err := child.ECPrivKey()
		if err != nil {
			return nil, fmt.Errorf("account %d: %w", i, err)
		}
		k, err := crypto.ToECDSA(private.Serialize())
		if err != nil {
			return nil, err
		}
		accounts[i] = DevelopmentAccount{crypto.PubkeyToAddress(k.PublicKey), k}
	}
	return accounts, nil
}

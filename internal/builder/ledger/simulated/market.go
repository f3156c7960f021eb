package simulated

import _ "embed"

// MarketConfiguration is an application with two workflows: Shop, which a Keeper
// creates, and Item, which only shops make.
//
//go:embed market/Market.json
var MarketConfiguration []byte

// MarketOutput is the compiled contracts of the application, as a
// solidity.Output in JSON. market/Market.sol is their source.
//
//go:embed market/Market.out.json
var MarketOutput []byte

// MarketSource is the source of the contracts.
//
//go:embed market/Market.sol
var MarketSource []byte

// arguments of every kind, good and bad
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[null]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go struct field TransactionArgs.to of type common.Address"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"from":"0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","to":"0xc0c0000000000000000000000000000000000002","value":"0xffffffffffffffffffffffff"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: insufficient funds for gas * price + value: address 0xF8379EED7C8fB90c3F916142D53A9ad2E676ed65 have 999998828647922930986 want 79228162514264337593543950335 (supplied gas 50000000)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: intrinsic gas too low: have 1, want 21000 (supplied gas 1)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0x5208"},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"out of gas"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go struct field TransactionArgs.data of type hexutil.Bytes"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x12","input":"0x34"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"gasPrice":"0x1","maxFeePerGas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x2"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: max priority fee per gas higher than max fee per gas: address 0x0000000000000000000000000000000000000000, maxPriorityFeePerGas: 2, maxFeePerGas: 1 (supplied gas 50000000)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"maxFeePerGas":"0x0","maxPriorityFeePerGas":"0x0"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"chainId":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"chainId does not match node's (have=1, want=49344)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"nonce":"0x9999","to":"0xc0c0000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x000000000000000000000000000000000000000000000000000000000000000f"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x60016000526001601ff3"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x01"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x6001600101fe"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"invalid opcode: INVALID"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x60006000fd"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted","data":"0x"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x0000000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0xffffffffffffffff"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x000000000000000000000000000000000000000000000000000000000000000f"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001","blobVersionedHashes":["0x0100000000000000000000000000000000000000000000000000000000000000"],"maxFeePerBlobGas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: insufficient funds for gas * price + value: address 0x0000000000000000000000000000000000000000 have 0 want 131072 (supplied gas 50000000)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001","authorizationList":[]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: EIP-7702 transaction with empty auth list (sender 0x0000000000000000000000000000000000000000) (supplied gas 50000000)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001"},"latest",{"0xc0c0000000000000000000000000000000000001":{"code":"0x600160005260206000f3"}}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x0000000000000000000000000000000000000000000000000000000000000001"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xc0c0000000000000000000000000000000000001"},"latest",{"0xc0c0000000000000000000000000000000000001":{"state":{},"stateDiff":{}}}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"account 0xC0C0000000000000000000000000000000000001 has both 'state' and 'stateDiff'"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x4360005260206000f3"},"latest",{},{"number":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x0000000000000000000000000000000000000000000000000000000000001234"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x4260005260206000f3"},"latest",{},{"time":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x0000000000000000000000000000000000000000000000000000000000001234"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x4860005260206000f3"},"latest",{},{"baseFeePerGas":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x0000000000000000000000000000000000000000000000000000000000000000"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"data":"0x4660005260206000f3"},"latest",{},{"beaconRoot":"0x0000000000000000000000000000000000000000000000000000000000000000"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"block override \"beaconRoot\" is not supported for this RPC method"}}

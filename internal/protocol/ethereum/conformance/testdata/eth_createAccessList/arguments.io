// arguments of every kind, good and bad
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0xcf08"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[null]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go struct field TransactionArgs.to of type common.Address"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"from":"0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","to":"0xc0c0000000000000000000000000000000000002","value":"0xffffffffffffffffffffffff"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to apply transaction: 0xaaa3b2e5b5d3f96ca3d28484e69e40a36762c606a8e7908626dae529c6048865 err: insufficient funds for gas * price + value: address 0xF8379EED7C8fB90c3F916142D53A9ad2E676ed65 have 999998828647922930986 want 79228162514264337593543950335"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to apply transaction: 0xbdaa0aa49d58c35471b29a5cb4afeb804d104ca0c5911b2c19b3c1c5a51d3c93 err: intrinsic gas too low: have 1, want 21000"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0x5208"},"latest"]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"error":"out of gas","gasUsed":"0x5208"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go struct field TransactionArgs.data of type hexutil.Bytes"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x12","input":"0x34"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0xcf1c"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"gasPrice":"0x1","maxFeePerGas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x2"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"maxFeePerGas (0x1) \u003c maxPriorityFeePerGas (0x2)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"maxFeePerGas":"0x0","maxPriorityFeePerGas":"0x0"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"maxFeePerGas must be non-zero"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"chainId":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"chainId does not match node's (have=1, want=49344)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"nonce":"0x9999","to":"0xc0c0000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[{"address":"0xc0c0000000000000000000000000000000000001","storageKeys":["0x0000000000000000000000000000000000000000000000000000000000000000"]}],"gasUsed":"0x741a"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x60016000526001601ff3"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0xd078"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x6001600101fe"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"error":"invalid opcode: INVALID","gasUsed":"0x2faf080"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x60006000fd"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"error":"execution reverted","gasUsed":"0xcf48"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0x0000000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0x5dc0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001","gas":"0xffffffffffffffff"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[{"address":"0xc0c0000000000000000000000000000000000001","storageKeys":["0x0000000000000000000000000000000000000000000000000000000000000000"]}],"gasUsed":"0x741a"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001","blobVersionedHashes":["0x0100000000000000000000000000000000000000000000000000000000000000"],"maxFeePerBlobGas":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to apply transaction: 0x8858739b8638c13268296df5ce1278512ec37b4b3f3f069e386580d9b3e00898 err: insufficient funds for gas * price + value: address 0x0000000000000000000000000000000000000000 have 0 want 144946308000131072"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001","authorizationList":[]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to apply transaction: 0x1c49a93ffdffcfd29edad7a0810bee75760bfd95253ef34c0b96dcec96e63b98 err: EIP-7702 transaction with empty auth list (sender 0x0000000000000000000000000000000000000000)"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001"},"latest",{"0xc0c0000000000000000000000000000000000001":{"code":"0x600160005260206000f3"}}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0x521a"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0xc0c0000000000000000000000000000000000001"},"latest",{"0xc0c0000000000000000000000000000000000001":{"state":{},"stateDiff":{}}}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"account 0xC0C0000000000000000000000000000000000001 has both 'state' and 'stateDiff'"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x4360005260206000f3"},"latest",{},{"number":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 3"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x4260005260206000f3"},"latest",{},{"time":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 3"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x4860005260206000f3"},"latest",{},{"baseFeePerGas":"0x1234"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 3"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"data":"0x4660005260206000f3"},"latest",{},{"beaconRoot":"0x0000000000000000000000000000000000000000000000000000000000000000"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 3"}}

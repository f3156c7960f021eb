// a delegation (EIP-7702)
>> {"jsonrpc":"2.0","id":1,"method":"eth_getCode","params":["0x570e625460ac68b585e02090e0bc7413e7d7c978","latest"]}
<< {"jsonrpc":"2.0","id":1,"result":"0xef0100c0c0000000000000000000000000000000000001"}

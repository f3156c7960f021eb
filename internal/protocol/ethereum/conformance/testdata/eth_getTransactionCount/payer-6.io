// a nonce in the past
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","0x6"]}
<< {"jsonrpc":"2.0","id":1,"result":"0xc"}

// a balance in the past
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","0xc"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x3635c5846f362a152a"}

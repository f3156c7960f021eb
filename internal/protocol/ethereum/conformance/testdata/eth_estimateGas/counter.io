// gas for a call
>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","to":"0xc0c0000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x6c77"}

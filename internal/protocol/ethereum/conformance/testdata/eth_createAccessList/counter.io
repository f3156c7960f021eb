// what a call touches
>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"from":"0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","to":"0xc0c0000000000000000000000000000000000001"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[{"address":"0xc0c0000000000000000000000000000000000001","storageKeys":["0x0000000000000000000000000000000000000000000000000000000000000000"]}],"gasUsed":"0x741a"}}

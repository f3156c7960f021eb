// a withdrawal
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0xbb00000000000000000000000000000000000000","0x8"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x174876e800"}

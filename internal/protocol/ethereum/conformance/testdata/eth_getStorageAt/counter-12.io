// a slot in the past
>> {"jsonrpc":"2.0","id":1,"method":"eth_getStorageAt","params":["0xc0c0000000000000000000000000000000000001","0x0","0xc"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x000000000000000000000000000000000000000000000000000000000000000e"}

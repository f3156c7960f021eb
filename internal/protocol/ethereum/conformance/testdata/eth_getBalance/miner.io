// the reward for a block and for being an uncle
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0xcb03000000000000000000000000000000000000","0x3"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x2aef8dc0bebb4000"}

// the reward of an uncle
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0xcbff000000000000000000000000000000000000","latest"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x246ddf9797668000"}

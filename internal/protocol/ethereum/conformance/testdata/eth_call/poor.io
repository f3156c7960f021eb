// a call that offers a price and cannot pay
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"from":"0xc0c0000000000000000000000000000000000002","to":"0xc0c0000000000000000000000000000000000001","gas":"0x186a0","gasPrice":"0x77359400"},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"err: insufficient funds for gas * price + value: address 0xc0C0000000000000000000000000000000000002 have 0 want 200000000000000 (supplied gas 100000)"}}

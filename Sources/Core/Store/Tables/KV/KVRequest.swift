extension KVSRequest {
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        try authorizer.require(op == "delete-tree" ? .keyWritePrefix(dirEnt.key) : .keyWrite(dirEnt.key))
    }
}

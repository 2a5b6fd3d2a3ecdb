extension SessionRequest {
    /// To end one takes the right on its node; one that is not there takes none.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if op == "create" { return try authorizer.require(.sessionWrite(session.node)) }
        if let existing = try? store.session(session.id) { try authorizer.require(.sessionWrite(existing.value.node)) }
    }
}

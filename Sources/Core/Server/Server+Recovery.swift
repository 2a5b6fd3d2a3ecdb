// A cluster that has lost its quorum for good is brought back by hand: `raft/peers.json` (rpc-raft-wire §9).

extension Server {
    static let peersFile = "raft/peers.json"
    static let peersInfoFile = "raft/peers.info"

    private static let peersInfo = """
        Consul reads the file peers.json in this folder when it starts, to bring a
        cluster back that has lost so many servers that it cannot elect a leader any
        more. It is not needed, and does not exist, at any other time.

        To use it, stop all servers that are left, put the same file into the folder
        of each, and start them again. The file names the servers of the cluster as it
        shall be from now on, by the id from the file node-id and the address of the
        server port:

        [
          { "id": "adf4238a-882b-9ddc-4a9d-5b6758e4159e", "address": "10.1.0.1:8300", "non_voter": false },
          { "id": "8b6dda82-3103-11e7-93ae-92361f002671", "address": "10.1.0.2:8300", "non_voter": false }
        ]

        With Raft protocol 2 the file is a list of addresses:

        [ "10.1.0.1:8300", "10.1.0.2:8300" ]

        Consul deletes the file once it has used it. What a server had not yet told
        the others of is kept or lost depending on which server leads afterwards.

        """

    /// Replaces the configuration of what was recovered by that of `peers.json`, if an operator has put one there.
    ///
    /// Where there is no `peers.info` yet, the folder is new or of another make: then a `peers.json` is deleted unread.
    static func applyPeersFile(
        _ recovered: RecoveredRaftState, _ store: Store, _ disk: some Disk, milliseconds: Int64
    ) throws(ServerError) -> (RecoveredRaftState, Store) {
        do throws(DiskError) {
            let files = try disk.list("raft")
            guard files.contains(peersInfoFile) else {
                let text = Array(peersInfo.utf8)
                var operations: [DiskOperation] = [.write(file: peersInfoFile, offset: 0, bytes: text), .sync(file: peersInfoFile)]
                if files.contains(peersFile) { operations.append(.remove(file: peersFile)) }
                try disk.perform(operations + [.syncDirectory("raft")])
                return (recovered, store)
            }
            guard files.contains(peersFile) else { return (recovered, store) }
        } catch {
            throw ServerError("failed to look for peers.json: \(error)")
        }
        let outcome = try replaceConfiguration(of: recovered, store, disk, milliseconds: milliseconds)
        do throws(DiskError) {
            try disk.perform([.remove(file: peersFile), .syncDirectory("raft")])
        } catch {
            throw ServerError("recovery failed to delete peers.json, please delete manually (see peers.info for details): \(error)")
        }
        return outcome
    }

    private static func replaceConfiguration(
        of recovered: RecoveredRaftState, _ old: Store, _ disk: some Disk, milliseconds: Int64
    ) throws(ServerError) -> (RecoveredRaftState, Store) {
        let configuration: RaftConfiguration
        do {
            configuration = try RaftConfiguration(peersJSON: try disk.read(peersFile, offset: 0, count: disk.size(peersFile)))
        } catch {
            throw ServerError("recovery failed to parse peers.json: \(error)")
        }
        var store = old
        do {
            try RaftRecovery.checkRecoverable(recovered)
            var changes = ChangeSet()
            try RaftRecovery.replay(recovered, disk) { entry in
                guard entry.kind == .command else { return }
                if entry.extensions.isEmpty {
                    _ = store.apply(entry.data, index: entry.index, changes: &changes)
                } else {
                    _ = store.applyChunk(entry.extensions, entry.data, term: entry.term, index: entry.index, changes: &changes)
                }
                changes.removeAll()
            }
            var encoder = SnapshotEncoder(store)
            let state = try RaftRecovery.replaceConfiguration(
                of: recovered, on: disk, by: configuration, milliseconds: milliseconds, state: { encoder.next(maxBytes: 1 << 20) })
            return (state, store)
        } catch let error as RaftError {
            throw ServerError(error.text)
        } catch {
            throw ServerError("recovery failed: \(error)")
        }
    }
}

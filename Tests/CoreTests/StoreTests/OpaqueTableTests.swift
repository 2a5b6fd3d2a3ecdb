import Foundation
import Testing

@testable import Core

/// Tables whose rows are kept without being interpreted: results, indexes and rows of their commands.
@Suite struct OpaqueTableTests {
    private static func command(_ name: String) throws -> [UInt8] {
        let commands = try StoreCodecTests.vectors().log_commands
        return hex(try #require(commands.first { $0.name.hasPrefix(name) }?.data_hex))
    }

    /// The captured command with members of the nested struct replaced.
    private static func command(_ name: String, _ member: ByteString?, _ change: (inout EncodedStruct) -> Void) throws -> [UInt8] {
        let bytes = try command(name)
        var request = try EncodedStruct(Array(bytes.dropFirst()))
        if let member {
            var nested = try request.nested(member)
            change(&nested)
            request[member] = nested.encoded[...]
        } else {
            change(&request)
        }
        return [bytes[0]] + request.encoded
    }

    private static func row(_ h: Harness, _ table: OpaqueTable, _ at: Int = 0) throws -> EncodedStruct {
        let rows = h.store.rows(table)
        return try EncodedStruct(try #require(rows.indices.contains(at) ? rows[at] : nil).encoded)
    }

    @Test func `commands with autopilot's configuration are applied`() throws {
        var h = Harness(startingAt: 9)
        let set = try Self.command("Autopilot")
        #expect(h.apply(set) == .none)
        #expect(h.apply(set) == .none)
        #expect(try Self.row(h, .autopilot).index == RaftIndex(create: 10, modify: 11))
        func cas(_ index: UInt64) throws -> [UInt8] {
            var request = try EncodedStruct(Array(set.dropFirst()))
            request["CAS"] = [0xC3]
            var config = try request.nested("Config")
            config.set(RaftIndex(create: 0, modify: index))
            request["Config"] = config.encoded[...]
            return [9] + request.encoded
        }
        #expect(h.apply(try cas(5)) == .bool(false))
        #expect(h.apply(try cas(11)) == .bool(true))
        #expect(try Self.row(h, .autopilot).index == RaftIndex(create: 10, modify: 13))
        #expect(h.store.indexes.isEmpty)
    }

    @Test func `the state of a federation takes the primary's index once`() throws {
        var h = Harness(startingAt: 4)
        #expect(h.apply(try Self.command("FederationState")) == .bool(true))
        #expect(try Self.row(h, .federationStates).uint("PrimaryModifyIndex") == 5)
        #expect(h.store.indexes["federation-states"] == 5)
        #expect(h.changes.topics == [.table(.federationStates)])
        #expect(h.apply(try Self.command("FederationState", "State") { $0.set("PrimaryModifyIndex", 77) }) == .bool(true))
        #expect(try Self.row(h, .federationStates).uint("PrimaryModifyIndex") == 77)
        #expect(h.apply(try Self.command("FederationState", nil) { $0.set("Op", "delete") }) == .none)
        #expect(h.store.rows(.federationStates).isEmpty && h.store.indexes["federation-states"] == 7)
    }

    @Test func `a prepared query ends with its session`() throws {
        var h = Harness()
        h.register("n1")
        #expect(h.apply(try Self.command("PreparedQuery")) == .none)
        let bound = try Self.command("PreparedQuery", "Query") {
            $0.set("ID", sessionID(500))
            $0.set("Session", sessionID(1))
        }
        #expect(h.apply(bound) == .error("invalid session \"\(sessionID(1))\""))
        h.session(sessionID(1), on: "n1")
        #expect(h.apply(bound) == .none)
        #expect(h.store.rows(.preparedQueries).count == 2)
        h.destroy(sessionID(1))
        #expect(h.store.rows(.preparedQueries).count == 1 && h.store.indexes["prepared-queries"] == h.index)
        #expect(h.apply(try Self.command("PreparedQuery", nil) { $0.set("Op", "delete") }) == .none)
        #expect(h.store.rows(.preparedQueries).isEmpty)
    }

    @Test func `intentions are applied, also within transactions`() throws {
        var h = Harness()
        h.apply(try Self.command("Intention"))
        #expect(try Self.row(h, .intentions)["Meta"] == [0x80])
        var reader = MessagePackReader(Array(try Self.command("Intention", nil) { $0.set("Op", "delete") }.dropFirst()))
        #expect(h.txn([.intention(try reader.dynamic())]).errors.isEmpty)
        #expect(h.store.rows(.intentions).isEmpty && h.store.indexes["connect-intentions"] == 2)
        #expect(h.apply(try Self.command("Intention", nil) { $0.set("Op", "x") }) == .error("Invalid Intention operation 'x'"))
    }

    @Test func `config entries of plain and of wrapped kinds are applied`() throws {
        var h = Harness(startingAt: 30)
        for command in try StoreCodecTests.vectors().log_commands where command.name == "ConfigEntry" {
            #expect(h.apply(hex(command.data_hex!)) == .bool(true))
        }
        #expect(h.store.keys(.configEntries) == ["proxy-defaults\0global\0", "service-defaults\0web\0", "service-resolver\0web\0"])
        let entry = try ConfigEntryEnvelope(h.store.rows(.configEntries)[0].encoded[...])
        #expect(try entry.entry.index == RaftIndex(create: 32, modify: 32) && h.store.indexes["config-entries"] == 33)

        func request(_ op: String, index: UInt64) -> [UInt8] {
            var changed = entry.entry
            changed.set(RaftIndex(create: 0, modify: index))
            let body = ConfigEntryEnvelope.encode(kind: "proxy-defaults", changed)
            var outer = MessagePackReader(body)
            var inner = MessagePackReader((try? outer.rawSlice()) ?? [])
            var writer = MessagePackWriter()
            writer.string((try? inner.string()) ?? "")
            var fields = (try? EncodedStruct(inner.rest)) ?? EncodedStruct()
            fields.set("Op", op)
            writer.encoded(fields.encoded)
            var wrapped = MessagePackWriter()
            wrapped.raw(writer.bytes)
            return [22] + wrapped.bytes
        }
        #expect(h.apply(request("upsert-cas", index: 5)) == .bool(false))
        #expect(h.apply(request("upsert-cas", index: 32)) == .bool(true))
        #expect(h.store.rows(.configEntries)[0].index == RaftIndex(create: 32, modify: 35))
        #expect(h.apply(request("delete", index: 0)) == .none)
        #expect(h.store.keys(.configEntries).count == 2 && h.store.indexes["config-entries"] == 36)
        #expect(h.apply(request("x", index: 0)) == .error("invalid config entry operation type: x"))
    }

    @Test func `access control is bootstrapped once`() throws {
        var h = Harness()
        let bootstrap = try Self.command("ACLBootstrap")
        #expect(h.apply(bootstrap) == .none)
        #expect(h.apply(bootstrap) == .error("ACL bootstrap no longer allowed"))
        func reset(_ index: UInt64) throws -> [UInt8] { try Self.command("ACLBootstrap", nil) { $0.set("ResetIndex", index) } }
        #expect(h.apply(try reset(9)) == .error("Invalid ACL bootstrap reset index"))
        #expect(h.apply(try reset(1)) == .none)
        #expect(h.store.indexes["acl-token-bootstrap"] == 4)
    }

    @Test func `tokens, policies, roles, methods and rules are applied`() throws {
        var h = Harness()
        for name in ["ACLTokenSet", "ACLPolicySet", "ACLRoleSet", "ACLAuthMethodSet", "ACLBindingRuleSet"] {
            #expect(h.apply(try Self.command(name)) == .none)
        }
        let tables: [OpaqueTable] = [.aclTokens, .aclPolicies, .aclRoles, .aclAuthMethods, .aclBindingRules]
        #expect(tables.map { h.store.rows($0).count } == [1, 1, 1, 1, 1])
        #expect(tables.map { h.store.indexes[$0.indexName!] } == [1, 2, 3, 4, 5])
        func names(_ type: UInt8, _ member: StaticString, _ id: String) -> [UInt8] {
            var writer = MessagePackWriter()
            writer.bytes.append(type)
            writer.mapHeader(1)
            writer.field(member, [id])
            return writer.bytes
        }
        #expect(
            h.apply(names(18, "TokenIDs", "00000000-0000-0000-0000-000000000002"))
                == .error("Deletion of the builtin anonymous token is not permitted"))
        #expect(
            h.apply(names(20, "PolicyIDs", "00000000-0000-0000-0000-000000000001"))
                == .error("Deletion of the builtin global-management policy is not permitted"))
        // The binding rule goes with its method.
        h.apply(names(28, "AuthMethodNames", "JWT1"))
        #expect(tables.map { h.store.rows($0).count } == [1, 1, 1, 0, 0])
        h.apply(try Self.command("ACLRoleDelete"))
        #expect(h.store.rows(.aclRoles).isEmpty)
        #expect(h.apply(try Self.command("ACL (legacy)")) == .string("44c42589-3d0c-aba6-3ad5-7fa9edb354d8"))
        #expect(h.store.rows(.aclTokens).count == 2)
    }

    @Test func `commands of the certificate authority are applied`() throws {
        var h = Harness()
        #expect(h.apply(try Self.command("ConnectCA set-config")) == .none)
        #expect(h.apply(try Self.command("ConnectCA set-provider-state")) == .bool(true))
        #expect(h.apply(try Self.command("ConnectCA increment-provider-serial")) == .index(1))
        #expect(h.apply(try Self.command("ConnectCA increment-provider-serial")) == .index(2))
        let roots = try Self.command("ConnectCA set-roots")
        #expect(h.apply(roots) == .bool(true))
        #expect(h.apply(roots) == .bool(false))
        #expect(h.apply(try Self.command("ConnectCA set-roots", nil) { $0.set("Index", 5) }) == .bool(true))
        #expect(h.store.rows(.caRoots).map(\.index) == [RaftIndex(create: 5, modify: 7)])
        #expect(h.store.indexes["connect-ca-roots"] == 7 && h.store.indexes["connect-ca-builtin-serial"] == 2)
        #expect(h.apply(try Self.command("ConnectCALeaf")) == .index(8))
        let again = try Self.command("ConnectCA set-config", "Config") { $0.set("ClusterID", "") }
        h.apply(again)
        #expect(try Self.row(h, .caConfig).text("ClusterID") == "8e649424-134b-addf-cc1a-f5ec220030ac")
        let stale = try Self.command("ConnectCA set-config", "Config") { $0.set(RaftIndex(create: 0, modify: 3)) }
        #expect(h.apply(stale) == .bool(false))
    }

    @Test func `a batch that breaks off leaves nothing`() throws {
        var h = Harness()
        let good = try Self.command("ACLTokenSet")
        var request = try EncodedStruct(Array(good.dropFirst()))
        let token = try #require(try request.list("Tokens").first).encoded
        var bad = try EncodedStruct(token)
        bad["SecretID"] = [0x01]
        var writer = MessagePackWriter()
        writer.arrayHeader(2)
        writer.encoded(token)
        writer.encoded(bad.encoded)
        request["Tokens"] = writer.bytes[...]
        guard case .error = h.apply([17] + request.encoded) else {
            Issue.record("applied")
            return
        }
        #expect(h.store.rows(.aclTokens).isEmpty && h.store.indexes.isEmpty && h.changes.isEmpty)
    }
}

import Testing

@testable import ConsulAgent

@Suite struct KVCommandTests {
    typealias Result = CommandFixture.Result

    private static let entry =
        #"[{"LockIndex":1,"Key":"a/b","Flags":7,"Value":"aGVsbG8=","CreateIndex":14,"ModifyIndex":15},"#
        + #"{"LockIndex":0,"Key":"a/c","Flags":0,"Value":null,"CreateIndex":16,"ModifyIndex":16,"Session":"s1"}]"#

    @Test func `get prints the value`() {
        let fixture = CommandFixture((200, Self.entry), (404, ""), (500, "secret text"))
        #expect(fixture.run("kv", "get", "-recurse=false", "-base64=false", "/a/b").output.hasPrefix("hello\n"))
        #expect(fixture.requests == ["GET /v1/kv/a/b"])
        #expect(fixture.run("kv", "get", "nope") == Result(code: 1, output: "", error: "Error! No key exists at: nope\n"))
        #expect(
            fixture.run("kv", "get", "x")
                == Result(code: 1, output: "", error: "Error querying Consul agent: Unexpected response code: 500\n"))
        #expect(fixture.run("kv", "get").error == "Error! Missing KEY argument\n")
        #expect(fixture.run("kv", "get", "a", "b").error == "Too many arguments (expected 1, got 2)\n")
    }

    @Test func `get lists keys and trees`() {
        let fixture = CommandFixture((200, Self.entry), (200, Self.entry), (200, #"["a/","b"]"#), (404, ""), (200, #"["a"]"#))
        #expect(fixture.run("kv", "get", "-recurse", "a/").output == "a/b:hello\na/c:\n")
        #expect(
            fixture.run("kv", "get", "-detailed", "-recurse", "-base64", "a/").output
                == "CreateIndex      14\nFlags            7\nKey              a/b\nLockIndex        1\nModifyIndex      15\n"
                + "Session          -\nValue            aGVsbG8=\n\n"
                + "CreateIndex      16\nFlags            0\nKey              a/c\nLockIndex        0\nModifyIndex      16\n"
                + "Session          s1\nValue\n")
        #expect(fixture.run("kv", "get", "-keys", "-recurse").output == "a/\nb\n")
        #expect(fixture.run("kv", "get", "-keys", "none/") == Result(code: 0, output: "", error: ""))
        _ = fixture.run("kv", "get", "-keys", "-separator=", "-stale", "a")
        #expect(
            fixture.requests.suffix(3) == [
                "GET /v1/kv/?keys=&separator=%2F", "GET /v1/kv/none/?keys=&separator=%2F", "GET /v1/kv/a?keys=&stale=",
            ])
    }

    @Test func `put writes, checks and locks`() {
        let fixture = CommandFixture(
            (200, "true\n"), (200, "false"), (200, "true"), (200, "false"), (200, "false"), (500, "boom"), (500, "boom"))
        fixture.files["/v"] = "file\n"
        #expect(fixture.run("kv", "put", "-flags=0x10", "a", "@/v").output == "Success! Data written to: a\n")
        #expect(fixture.run("kv", "put", "-cas", "-modify-index=3", "a", "v").error == "Error! Did not write to a: CAS failed\n")
        #expect(fixture.run("kv", "put", "-acquire", "-session=s", "a").output == "Success! Lock acquired on: a\n")
        #expect(fixture.run("kv", "put", "-acquire", "-session=s", "a", "v").error == "Error! Did not acquire lock\n")
        #expect(fixture.run("kv", "put", "-release", "-session=s", "a", "v").error == "Error! Did not release lock\n")
        #expect(fixture.run("kv", "put", "-release", "-session=s", "a").error == "Error! Failed writing data: a\n")
        #expect(fixture.run("kv", "put", "a").error == "Error! Failed writing data: Unexpected response code: 500 (boom)\n")
        #expect(
            fixture.requests == [
                "PUT /v1/kv/a?flags=16", "PUT /v1/kv/a?cas=3", "PUT /v1/kv/a?acquire=s", "PUT /v1/kv/a?acquire=s", "PUT /v1/kv/a?release=s",
                "PUT /v1/kv/a?release=s", "PUT /v1/kv/a",
            ])
        #expect(fixture.bodies[0] == "file\n" && fixture.bodies[2].isEmpty)
    }

    @Test func `put refuses what makes no sense`() {
        let fixture = CommandFixture()
        for (words, text) in [
            (["a", "b", "c"], "Error! Too many arguments (expected 1 or 2, got 3)"),
            (["/x"], "Error! Failed writing data: Invalid key. Key must not begin with a '/': /x"),
            (["-cas", "a"], "Must specify -modify-index with -cas!"),
            (["-acquire", "a"], "Error! Missing -session (required with -acquire and -release)"),
            (["-http-addr=x://y", "a"], "Error connecting to Consul agent: Unknown protocol scheme: x"),
            (["a", "@/none"], "Error! Failed to read file: open /none: no such file or directory"),
        ] {
            let all = ["kv", "put"] + words
            let result =
                all.count == 5
                ? fixture.run(all[0], all[1], all[2], all[3], all[4])
                : all.count == 4 ? fixture.run(all[0], all[1], all[2], all[3]) : fixture.run(all[0], all[1], all[2])
            #expect(result == Result(code: 1, output: "", error: text + "\n"))
        }
        #expect(fixture.requests.isEmpty)
    }

    @Test func `put writes what it could decode`() {
        let fixture = CommandFixture((200, "true"))
        let result = fixture.run("kv", "put", "-base64", "a", "aGVs*bG8")
        #expect(result.code == 0 && result.error == "Error! Cannot base 64 decode data: illegal base64 data at input byte 4\n")
        #expect(fixture.bodies == ["hel"])
    }

    @Test func `delete takes keys and prefixes`() {
        let fixture = CommandFixture((200, "true"), (200, "true"), (200, "false"), (500, "x"), (500, "x"), (500, "x"))
        #expect(fixture.run("kv", "delete", "/a").output == "Success! Deleted key: a\n")
        #expect(fixture.run("kv", "delete", "-recurse").output == "Success! Deleted keys with prefix: \n")
        #expect(fixture.run("kv", "delete", "-cas", "-modify-index=4", "a").error == "Error! Did not delete key a: CAS failed\n")
        #expect(fixture.run("kv", "delete", "a").error == "Error deleting key a: Unexpected response code: 500 (x)\n")
        #expect(fixture.run("kv", "delete", "-recurse", "a").error == "Error! Did not delete prefix a: Unexpected response code: 500 (x)\n")
        #expect(fixture.requests[0...2] == ["DELETE /v1/kv/a", "DELETE /v1/kv/?recurse=", "DELETE /v1/kv/a?cas=4"])
        #expect(fixture.run("kv", "delete").error == "Error! Missing KEY argument\n")
        #expect(fixture.run("kv", "delete", "-cas", "a").error == "Must specify -modify-index with -cas!\n")
        #expect(fixture.run("kv", "delete", "-modify-index=1", "a").error == "Cannot specify -modify-index without -cas!\n")
        #expect(fixture.run("kv", "delete", "-cas", "-recurse", "-modify-index=1", "a").error == "Cannot specify both -cas and -recurse!\n")
    }

    @Test func `export and import understand each other`() {
        let fixture = CommandFixture((200, Self.entry), (404, ""), (200, "true"), (200, "true"), (500, "no"))
        let text = fixture.run("kv", "export", "/a/").output
        #expect(
            text == "[\n\t{\n\t\t\"key\": \"a/b\",\n\t\t\"flags\": 7,\n\t\t\"value\": \"aGVsbG8=\"\n\t},\n"
                + "\t{\n\t\t\"key\": \"a/c\",\n\t\t\"flags\": 0,\n\t\t\"value\": \"\"\n\t}\n]\n")
        #expect(fixture.run("kv", "export", "none/").output == "[]\n")
        fixture.input = text
        #expect(fixture.run("kv", "import", "-") == Result(code: 0, output: "Imported: a/b\nImported: a/c\n", error: ""))
        #expect(fixture.requests.suffix(2) == ["PUT /v1/kv/a/b?flags=7", "PUT /v1/kv/a/c"])
        #expect(fixture.bodies.suffix(2) == ["hello", ""])
        #expect(
            fixture.run("kv", "import", #"[{"KEY":"i"}]"#).error
                == "Error! Failed writing data for key i: Unexpected response code: 500 (no)\n")
    }

    @Test(arguments: [
        ("", "Error! Empty DATA argument"),
        ("@/none", "Error! Failed to read file: open /none: no such file or directory"),
        ("{}", "Cannot unmarshal data: json: cannot unmarshal object into Go value of type []*impexp.Entry"),
        ("[", "Cannot unmarshal data: unexpected end of JSON input"),
        (#"[{"key":"k","value":"!!"}]"#, "Error base 64 decoding value for key k: illegal base64 data at input byte 0"),
    ])
    func `import refuses other texts`(data: String, text: String) {
        #expect(CommandFixture().run("kv", "import", data) == Result(code: 1, output: "", error: text + "\n"))
    }
}

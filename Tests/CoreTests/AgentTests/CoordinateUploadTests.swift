import Testing

@testable import Core

@Suite struct CoordinateUploadTests {
    private let start = Instant(nanoseconds: 0)

    @Test func `an agent of a small cluster sends its coordinate every 15 to 30 seconds`() {
        var random = Random(seed: 1), now = start
        var upload = CoordinateUpload(AgentSettings(), members: 3, at: now, &random)
        for _ in 0..<200 {
            let due = upload.deadline!
            #expect(due >= now + .seconds(15) && due < now + .seconds(30))
            let early = upload.isDue(at: due - .nanoseconds(1), members: 3, &random), isDue = upload.isDue(at: due, members: 3, &random)
            #expect(!early && isDue)
            now = due
        }
    }

    @Test func `an agent of a large cluster sends its coordinate more rarely`() {
        var random = Random(seed: 1)
        let upload = CoordinateUpload(AgentSettings(), members: 6400, at: start, &random)
        #expect(upload.deadline! >= start + .seconds(100) && upload.deadline! < start + .seconds(200))
    }

    @Test func `the configuration may turn sending coordinates off`() {
        var random = Random(seed: 1), settings = AgentSettings()
        settings.coordinates.disabled = true
        var upload = CoordinateUpload(settings, members: 3, at: start, &random)
        let isDue = upload.isDue(at: .distantFuture, members: 3, &random)
        #expect(upload.deadline == nil && !isDue)
    }

    @Test func `coordinates are not sent to old servers`() {
        func member(_ tags: StringMap) -> Member { Member(name: "m", address: [10, 0, 0, 1], port: 8301, tags: tags) }
        let client = member(["role": "node"]), server = member(["role": "consul", "vsn_min": "2", "vsn_max": "3"])
        let old = member(["role": "consul", "vsn_min": "1", "vsn_max": "2"]), odd = member(["role": "consul"])
        #expect(!CoordinateUpload.isUnderstood(by: [client]))
        #expect(CoordinateUpload.isUnderstood(by: [client, server]))
        #expect(!CoordinateUpload.isUnderstood(by: [server, old]) && !CoordinateUpload.isUnderstood(by: [odd, server]))
    }
}

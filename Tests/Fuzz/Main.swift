import Glibc

@testable import Core

// The entry points that libFuzzer calls. The environment says what is fuzzed:
//
//     FUZZ_TARGET    the name of a target
//     FUZZ_HISTORY   a file for the inputs that the machine has met since it was new: what repeats a failure for certain
//     FUZZ_REPLAY    such a file: its inputs are run, and nothing else
//     FUZZ_SEEDS     a folder: valid inputs are written there, and nothing else is done

nonisolated(unsafe) private var target: (any Target)?
nonisolated(unsafe) private var history: Int32 = -1

private func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = Glibc.write(2, bytes, bytes.count)
}

private func end(_ text: String) -> Never {
    say(text)
    exit(2)
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> Int32 {
    guard let name = setting("FUZZ_TARGET"), let type = targets.first(where: { $0.name == name })?.type else {
        end("FUZZ_TARGET is one of: " + targets.map(\.name).joined(separator: " "))
    }
    if let folder = setting("FUZZ_SEEDS") {
        for (number, seed) in type.seeds.enumerated() { write(seed, to: "\(folder)/seed-\(number)") }
        exit(0)
    }
    target = type.init()
    if let file = setting("FUZZ_REPLAY") {
        replay(file)
        exit(0)
    }
    if let file = setting("FUZZ_HISTORY") { history = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o644) }
    return 0
}

private func write(_ bytes: [UInt8], to file: String) {
    guard let stream = fopen(file, "w") else { end("cannot write \(file)") }
    fwrite(bytes, 1, bytes.count, stream)
    fclose(stream)
}

private func replay(_ file: String) {
    guard let stream = fopen(file, "r") else { end("cannot read \(file)") }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&piece, 1, piece.count, stream), count > 0 { bytes += piece[..<count] }
    fclose(stream)
    var at = 0
    while at + 4 <= bytes.count {
        let length = (0..<4).reduce(0) { $0 << 8 | Int(bytes[at + $1]) }
        at += 4
        target?.run(Array(bytes[at..<min(bytes.count, at + length)]))
        at += length
    }
    say("nothing fails")
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    if history >= 0 {
        if target?.isFresh == true {
            ftruncate(history, 0)
            lseek(history, 0, SEEK_SET)
        }
        let record = (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + input
        _ = Glibc.write(history, record, record.count)
    }
    target?.run(input)
    return 0
}

@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ most: Int) -> Int

/// Half of the mutations are libFuzzer's, which coverage and comparisons guide.
@_cdecl("LLVMFuzzerCustomMutator")
public func customMutator(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ most: Int, _ seed: UInt32) -> Int {
    if seed & 1 == 0 { return mutateBytes(bytes, count, most) }
    var mutator = Mutator(random: Random(seed: UInt64(seed)))
    var input = Array(UnsafeBufferPointer(start: bytes, count: count))
    mutator.mutate(&input, most: most)
    for (at, byte) in input.enumerated() { bytes[at] = byte }
    return input.count
}

import Glibc

@testable import Core

// The entry points that libFuzzer calls. The environment says what is fuzzed:
//
//     FUZZ_TARGET    the name of a target
//     FUZZ_HISTORY   a file for the inputs that the machine has met since it was new: what repeats a failure for certain
//     FUZZ_REPLAY    such a file: its inputs are run, and nothing else
//     FUZZ_SEEDS     a folder: valid inputs are written there, and nothing else is done
//     FUZZ_BLIND     seconds: the inputs of the folders in FUZZ_CORPUS are mutated without looking at coverage, many times as fast

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
    if let seconds = setting("FUZZ_BLIND").flatMap(Int.init) {
        runBlindly(seconds: seconds, folders: (setting("FUZZ_CORPUS") ?? "").split(separator: ":").map(String.init))
        exit(0)
    }
    return 0
}

private func write(_ bytes: [UInt8], to file: String) {
    guard let stream = fopen(file, "w") else { end("cannot write \(file)") }
    fwrite(bytes, 1, bytes.count, stream)
    fclose(stream)
}

private func read(_ file: String) -> [UInt8] {
    guard let stream = fopen(file, "r") else { end("cannot read \(file)") }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&piece, 1, piece.count, stream), count > 0 { bytes += piece[..<count] }
    fclose(stream)
    return bytes
}

private func replay(_ file: String) {
    let bytes = read(file)
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
    run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

private func run(_ input: [UInt8]) {
    if history >= 0 {
        if target?.isFresh == true {
            ftruncate(history, 0)
            lseek(history, 0, SEEK_SET)
        }
        var record: [UInt8] = []
        record.reserveCapacity(4 + input.count)
        for shift in [24, 16, 8, 0] { record.append(UInt8(truncatingIfNeeded: input.count >> shift)) }
        record += input
        _ = Glibc.write(history, record, record.count)
    }
    target?.run(input)
}

/// The coverage of an input costs libFuzzer more than most decoders take for it: this shows many more inputs, made from those that coverage
/// has found.
private func runBlindly(seconds: Int, folders: [String]) {
    let corpus = folders.flatMap(inputs(in:))
    guard !corpus.isEmpty else { end("no inputs in FUZZ_CORPUS") }
    var mutator = Mutator(random: Random(seed: UInt64(time(nil)) << 20 ^ UInt64(getpid())))
    let stop = time(nil) + seconds
    var count = 0
    while time(nil) < stop {
        // An input that hangs ends the process.
        alarm(60)
        for _ in 0..<64 { run(mutator.variant(of: corpus, most: 12_000)) }
        count += 64
        if count % (64 << 12) == 0 { say("#\(count)\t") }
    }
    say("stat::number_of_executed_units: \(count)")
}

private func inputs(in folder: String) -> [[UInt8]] {
    guard let listing = opendir(folder) else { end("cannot read \(folder)") }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted().map { read("\(folder)/\($0)") }
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

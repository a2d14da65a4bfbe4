import Foundation
import ParserFuzzBodies

/// Writes the seeds into the directory that `PARSER_FUZZ_SEEDS` names.
@c(LLVMFuzzerInitialize) public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>>>
) -> CInt {
    guard let directory = ProcessInfo.processInfo.environment["PARSER_FUZZ_SEEDS"] else { return 0 }
    for (index, seed) in CatalogerBody.seeds.enumerated() {
        let url = URL(fileURLWithPath: directory).appendingPathComponent("seed-\(index)")
        do { try Data([UInt8(index)] + seed.1).write(to: url) } catch { return 1 }
    }
    return 0
}

/// The first byte says which kind of file the others are.
@c(LLVMFuzzerTestOneInput) public func testOneInput(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = unsafe UnsafeBufferPointer(start: data, count: count)
    guard let first = unsafe input.first else { return 0 }
    let path = CatalogerBody.seeds[Int(first) % CatalogerBody.seeds.count].0
    let fault = unsafe CatalogerBody.run(path, Array(input.dropFirst()))
    precondition(fault == nil, fault ?? "")
    return 0
}

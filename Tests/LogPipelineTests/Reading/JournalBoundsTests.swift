import Testing

@testable import LogPipeline

/// Records of the journal once escaped all bounds: a thousand fields of 64 KiB are one record.
struct JournalBoundsTests {
    @Test("the largest record stays within its bound, and what the journal itself says of the writer stays whole")
    func largestRecord() {
        let bounds = JournalRecord.Bounds(fieldBytesMax: 64 << 10)
        var bytes = 0
        var cut = 0
        for _ in 0..<1024 {
            let wanted = 1 << 20
            let room = bounds.valueBytesMax(recordBytes: bytes)
            if wanted > room { cut += 1 }
            bytes += min(wanted, room) + JournalRecord.Bounds.nameBytesMax + 6
            #expect(room >= 1024)
            #expect(room <= 64 << 10)
        }
        #expect(cut == 1024)
        #expect(bytes <= 3 << 20)
    }

    @Test("a field is cut at the length of a line")
    func field() {
        #expect(JournalRecord.Bounds(fieldBytesMax: 100).valueBytesMax(recordBytes: 0) == 100)
        #expect(JournalRecord.Bounds(fieldBytesMax: 100).valueBytesMax(recordBytes: 5 << 20) == 100)
        #expect(JournalRecord.Bounds(fieldBytesMax: 8 << 20).valueBytesMax(recordBytes: 1000) == (1 << 20) - 1000)
    }
}

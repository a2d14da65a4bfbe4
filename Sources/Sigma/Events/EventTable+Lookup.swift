extension EventTable {
    /// Where an event's fields lie in `fields`.
    @inline(__always)
    func fieldRange(of event: Int) -> (start: Int, count: Int) {
        (Int(events[event].firstField), Int(events[event].fieldCount))
    }

    /// The first value of a field that is there and not null.
    func firstValue(_ id: FieldID, of event: Int) -> ByteSlice? {
        let (start, count) = fieldRange(of: event)
        for index in start..<start + count where fields[index].id == id && fields[index].kind != .null {
            return fields[index].value
        }
        return nil
    }
}

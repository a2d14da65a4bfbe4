extension String {
    /// The beginning in whole scalars, of at most so many bytes, without NUL, which no message to the core holds: what one
    /// container is called must not keep the others from being told of.
    func bounded(bytes: Int) -> String {
        var kept = ""
        var room = bytes
        for scalar in unicodeScalars {
            let shown = scalar.value == 0 ? "\u{FFFD}" : scalar
            room -= UTF8.width(shown)
            guard room >= 0 else { break }
            kept.unicodeScalars.append(shown)
        }
        return kept
    }
}

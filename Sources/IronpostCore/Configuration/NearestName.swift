/// Finds the name that was probably meant when an unknown one was written.
package enum NearestName {
    /// Longer names are not compared: the cost is quadratic and nobody mistypes that much.
    static let lengthMax = 128

    /// The closest candidate, if a slip of the fingers explains the difference: one edit in three characters, two at
    /// least. Among equals the first in order wins.
    package static func find<Names: Sequence<String>>(_ name: String, among candidates: Names) -> String? {
        guard name.utf8.count <= lengthMax else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(name, candidate)
            let tolerated = max(2, min(name.utf8.count, candidate.utf8.count) / 3)
            if distance <= tolerated, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// How many letters must be inserted, removed, replaced or swapped with their neighbour.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for column in right.indices {
                let same = left[row] == right[column]
                var cost = min(previous[column + 1] + 1, current[column] + 1, previous[column] + (same ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, before[column - 1] + 1)
                }
                current.append(cost)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}

/// The modifiers of one detection item, checked: which comparison, and how the values are prepared for it.
///
/// An unknown modifier, or two that contradict each other, is a fault and never ignored.
struct ItemModifiers {
    enum Operation: Equatable {
        case equals, contains, startsWith, endsWith, regex, cidr, exists
        case compare(Predicate.Comparison)
    }

    enum Encoding: Equatable { case base64, base64offset, utf16le, utf16be, utf16, dashes }

    var operation: Operation?
    var isReference = false
    var isNegated = false
    var isCased = false
    var all = false
    var expands = false
    var encodings: [Encoding] = []
    var regex = RegexSource(text: "")

    init(_ item: DetectionItem) throws(DocumentFault) {
        var seen: Set<String> = []
        for name in item.modifiers {
            guard seen.insert(name).inserted else { throw DocumentFault(item.line, "'\(name)' is written twice") }
            try apply(name, item)
        }
        try check(item)
    }

    private mutating func apply(_ name: String, _ item: DetectionItem) throws(DocumentFault) {
        switch name {
        case "contains": try set(.contains, name, item)
        case "startswith": try set(.startsWith, name, item)
        case "endswith": try set(.endsWith, name, item)
        case "re": try set(.regex, name, item)
        case "cidr": try set(.cidr, name, item)
        case "exists": try set(.exists, name, item)
        case "lt": try set(.compare(.lt), name, item)
        case "lte": try set(.compare(.lte), name, item)
        case "gt": try set(.compare(.gt), name, item)
        case "gte": try set(.compare(.gte), name, item)
        case "i", "ignorecase", "m", "multiline", "s", "dotall":
            guard operation == .regex else { throw DocumentFault(item.line, "'\(name)' must follow 're'") }
            switch name {
            case "i", "ignorecase": regex.ignoresCase = true
            case "m", "multiline": regex.isMultiline = true
            default: regex.dotMatchesLineFeed = true
            }
        case "all": all = true
        case "cased": isCased = true
        case "neq": isNegated = true
        case "fieldref": isReference = true
        case "expand": expands = true
        case "base64": encodings.append(.base64)
        case "base64offset": encodings.append(.base64offset)
        case "utf16le", "wide": encodings.append(.utf16le)
        case "utf16be": encodings.append(.utf16be)
        case "utf16": encodings.append(.utf16)
        case "windash": encodings.append(.dashes)
        case "minute", "hour", "day", "week", "month", "year":
            throw DocumentFault(item.line, "the modifier '\(name)' is not supported yet")
        default:
            throw DocumentFault(item.line, "unknown modifier '\(name)'")
        }
    }

    private mutating func set(_ new: Operation, _ name: String, _ item: DetectionItem) throws(DocumentFault) {
        guard operation == nil else {
            throw DocumentFault(item.line, "'\(name)' contradicts another modifier of '\(item.field)'")
        }
        operation = new
    }

    private func check(_ item: DetectionItem) throws(DocumentFault) {
        let isText = [nil, .equals, .contains, .startsWith, .endsWith].contains(operation)
        func refuse(_ what: String) -> DocumentFault {
            DocumentFault(item.line, "\(what) does not go with the other modifiers of '\(item.field)'")
        }
        if isCased, !isText { throw refuse("'cased'") }
        if !encodings.isEmpty, !isText || isReference { throw refuse("an encoding") }
        if isReference, !isText || expands { throw refuse("'fieldref'") }
        if operation == .exists, all || isNegated || expands || item.values.count > 1 {
            throw refuse("'exists' with a list, 'all', 'neq' or 'expand'")
        }
        if expands, operation == .regex { throw refuse("'expand'") }
        if item.field.isEmpty {
            if operation == .exists || isReference { throw refuse("a field is needed; the modifier") }
        }
    }
}

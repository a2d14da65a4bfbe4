/// What a rule's `logsource` says: the kind of log it is written for. Absent parts mean "any".
public struct LogSource: Hashable, Sendable {
    public var product: String?
    public var category: String?
    public var service: String?

    public init(product: String? = nil, category: String? = nil, service: String? = nil) {
        self.product = product
        self.category = category
        self.service = service
    }
}

/// A class of events that parsers recognise, by the logsources under which rules may be written for it.
///
/// One line of sshd is `service: sshd`, but also what rules for `service: auth` and `service: syslog` expect.
public struct EventClass: Hashable, Sendable {
    public var product: String?
    public var category: String?
    public var services: [String]
    /// Only rules for exactly this are tried on its events, and such rules on no other events.
    public var isExclusive: Bool

    public init(
        product: String? = nil, category: String? = nil, services: [String] = [], isExclusive: Bool = false
    ) {
        self.product = product
        self.category = category
        self.services = services
        self.isExclusive = isExclusive
    }

    /// The places in `classes` of those that a rule for `source` is tried on.
    static func admitting(_ source: LogSource, of classes: [EventClass]) -> [Int] {
        let admitting = classes.indices.filter { classes[$0].admits(source) }
        let exclusive = admitting.filter { classes[$0].isExclusive }
        return exclusive.isEmpty ? admitting : exclusive
    }

    /// Whether its events are what a rule for `source` is written for: they are of the category and the service that it
    /// names, and not of another product. Rules are tried on more than that (`admits`).
    public func serves(_ source: LogSource) -> Bool {
        guard admits(source) else { return false }
        if let wanted = source.category, wanted != category { return false }
        if let wanted = source.service, !services.contains(wanted) { return false }
        if source.category != nil || source.service != nil || source == LogSource() { return true }
        // Of a product's rules without a word on the kind of events, those that are lines of its log.
        return product != nil && category == nil
    }

    /// Whether a rule for `source` is to be tried on events of this class: only a contradiction excludes it, never
    /// something that either side leaves unsaid.
    public func admits(_ source: LogSource) -> Bool {
        if isExclusive {
            return source == LogSource(product: product, category: category, service: services.first)
        }
        if let wanted = source.product, let product, wanted != product { return false }
        if let wanted = source.category, let category, wanted != category { return false }
        if let wanted = source.service, !services.isEmpty, !services.contains(wanted) { return false }
        return true
    }
}

/// An event class's number: its place in the list of classes that a `RuleSet` was compiled for.
public struct EventClassID: Hashable, Sendable {
    public let index: UInt16

    @inlinable
    public init(_ index: UInt16) {
        self.index = index
    }
}

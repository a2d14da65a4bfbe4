internal import ContainerEngine
import FoundationEssentials
import IronpostCore

/// What was so before an action, to put it back: kept by the core with the action, and given back with every later order.
/// It comes from outside then, so nothing in it is trusted further than its shape.
struct IsolationDetail: Codable, Sendable, Equatable {
    var container: String
    var name: String
    var pid: Int32
    var start: UInt64
    /// It stood still already when it was looked up, so thawing it is not ours.
    var wasFrozen = false
    var wasRunning = true
    var networks: [NetworkPlace] = []
    /// As `CgroupControl.Limit`.
    var quota: Int64?
    var period: Int64?
    var cpuMax: String?
    /// The evidence's directory.
    var evidence = ""

    init(_ record: ContainerRecord) {
        container = record.id.text
        name = record.name
        pid = record.pid
        start = record.pidStart
    }

    init(_ order: ContainerOrder) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(order.detail.utf8))
        } catch {
            throw Refusal("the order lacks what `prepare` found")
        }
        guard container == order.container.text else { throw Refusal("the order's detail is another container's") }
        guard networks.count <= ContainerRecord.networksMax else { throw Refusal("the order names too many networks") }
    }

    var encoded: String {
        get throws {
            let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
            guard text.utf8.count <= ContainerOrder.detailBytesMax else {
                throw Refusal("what is to be remembered of the container is too large")
            }
            return text
        }
    }

    var limit: CgroupControl.Limit? {
        get {
            if let quota, let period { return .version1(quota: quota, period: period) }
            return cpuMax.map { .version2($0) }
        }
        set {
            (quota, period, cpuMax) = (nil, nil, nil)
            switch newValue {
            case .version1(let q, let p)?: (quota, period) = (q, p)
            case .version2(let text)?: cpuMax = text
            case nil: break
            }
        }
    }
}

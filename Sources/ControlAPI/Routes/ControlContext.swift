import Hummingbird
import Logging

/// What a route knows of the connection its request came by.
struct ControlContext: RequestContext {
    typealias Source = ControlContextSource

    var coreContext: CoreRequestContextStorage
    let door: Door

    init(source: ControlContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        door = source.door
    }
}

struct ControlContextSource: RequestContextSource {
    let door: Door
    let logger: Logger
}

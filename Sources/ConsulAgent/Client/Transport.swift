import Core
import Runtime

/// Carries requests to an agent. `HTTPTransport` does it for real.
protocol Transport: Sendable {
    func send(_ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint) throws(TransportFailure) -> APIAnswer
    /// Hands over the body of a good answer as it comes, until it ends or breaks off; that of another one is in the answer.
    func stream(
        _ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint, onBody: ([UInt8]) -> Void
    ) throws(TransportFailure) -> APIAnswer
}

struct APIAnswer: Sendable {
    var status: Int
    var body: [UInt8]
    /// `X-Consul-Index`, or 0.
    var index: UInt64 = 0
}

/// The reference's words for what went wrong below HTTP.
struct TransportFailure: Error {
    var text: String
}

struct HTTPTransport: Transport {
    func send(_ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint) throws(TransportFailure) -> APIAnswer {
        do {
            let response = try HTTPClient(endpoint).send(request)
            let index = response.header("X-Consul-Index").flatMap { UInt64($0) } ?? 0
            return APIAnswer(status: response.status, body: response.body, index: index)
        } catch {
            throw TransportFailure(text: error.description)
        }
    }

    func stream(
        _ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint, onBody: ([UInt8]) -> Void
    ) throws(TransportFailure) -> APIAnswer {
        var isGood = false
        var problem: [UInt8] = []
        do {
            let response = try HTTPClient(endpoint).send(request, onHead: { isGood = $0.status == 200 }) { bytes in
                if isGood { onBody(Array(bytes)) } else { problem += bytes }
                return true
            }
            return APIAnswer(status: response.status, body: problem)
        } catch {
            if isGood { return APIAnswer(status: 200, body: []) }
            throw TransportFailure(text: error.description)
        }
    }
}

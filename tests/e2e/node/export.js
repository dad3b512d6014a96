// The OpenTelemetry JavaScript SDK as a client: node export.js grpc|http PORT COUNT
// Prints what it sent, one JSON object per span, for comparison with what arrived.
'use strict';
const { trace, context, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { BasicTracerProvider, BatchSpanProcessor, SimpleSpanProcessor, InMemorySpanExporter } =
    require('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = require('@opentelemetry/resources');

const [protocol, port, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];

function makeExporter() {
    if (protocol === 'grpc') {
        const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-grpc');
        return new OTLPTraceExporter({ url: `http://127.0.0.1:${port}` });
    }
    const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
    return new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces` });
}

async function main() {
    const memory = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({
        resource: resourceFromAttributes({ 'service.name': 'node-client', 'service.instance.id': 'ü-1', pid: 7 }),
        spanProcessors: [new SimpleSpanProcessor(memory),
                         new BatchSpanProcessor(makeExporter(), { maxQueueSize: 2 * count + 2048 })],
    });
    const tracer = provider.getTracer('node.tracer', '3.1');
    for (let i = 0; i < count; i++) {
        const parent = tracer.startSpan(`job ${i}`, {
            kind: SpanKind.CONSUMER,
            attributes: { i, half: i + 0.5, yes: true, text: 'Grüße 🎈', list: ['a', 'b'], numbers: [1, 2.5] },
        });
        parent.addEvent('picked', { worker: `w${i % 3}` });
        const child = tracer.startSpan('step', { links: [{ context: parent.spanContext(), attributes: { why: 'same' } }] },
                                       trace.setSpan(context.active(), parent));
        child.setStatus({ code: SpanStatusCode.ERROR, message: 'fail' });
        child.end();
        parent.end();
    }
    await provider.forceFlush();
    for (const s of memory.getFinishedSpans()) {
        console.log(JSON.stringify({
            trace_id: s.spanContext().traceId, span_id: s.spanContext().spanId,
            parent: s.parentSpanContext ? s.parentSpanContext.spanId : '', name: s.name, kind: s.kind + 1,
            start: s.startTime, end: s.endTime, attributes: s.attributes, resource: s.resource.attributes,
            scope: [s.instrumentationScope.name, s.instrumentationScope.version],
            events: s.events.map((e) => ({ name: e.name, attributes: e.attributes })),
            links: s.links.map((l) => ({ trace_id: l.context.traceId, span_id: l.context.spanId })),
            status: [s.status.code, s.status.message || ''],
        }));
    }
    await provider.shutdown();
}

main().catch((e) => { console.error(e); process.exit(1); });

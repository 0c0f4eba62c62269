using System.Buffers;

namespace Gateway.Simulation.Serving;

/// <summary>One API's way to write a streamed answer; each method writes whole frames. Used by one request at a time.</summary>
internal abstract class AnswerStream
{
    /// <summary>Before the first token.</summary>
    public abstract void WriteStart(IBufferWriter<byte> writer, GenerationGroup group);

    /// <summary>One token of one sequence; <paramref name="token"/> counts from 0.</summary>
    public abstract void WriteToken(IBufferWriter<byte> writer, GenerationGroup group, int choice, int token);

    /// <summary>The end of one sequence.</summary>
    public abstract void WriteFinish(IBufferWriter<byte> writer, GenerationGroup group, int choice);

    /// <summary>After the last sequence: usage and whatever closes the stream.</summary>
    public abstract void WriteEnd(IBufferWriter<byte> writer, GenerationGroup group, bool omitsDone);
}

FROM slipway.test/base:1
ENTRYPOINT ["/bin/echo"]
CMD ["hi"]
